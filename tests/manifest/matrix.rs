//! A workspace with combinations of versions in the place of its services.

use nagaya::model::{Part, Workspace};
use nagaya::plan::{Combination, Matrix, Selection, VersionFiles, bases, combined, select};

use crate::supervise::fixture::plan_of;
use crate::support::manifest::good;

const SHOP: &str = "
services:
  db: { command: x, ports: 5432, stateful: true, publish: 5432 }
  cache: { command: x, ports: 6379, depends_on: [db], watch: [src] }
  migrate: { command: x, depends_on: [db] }
  users:
    command: ./run
    working_dir: users
    setup: [make]
    ports: { grpc: 50051 }
    depends_on: { db: { condition: ready }, migrate: { condition: completed } }
    versions: { v1: {}, v2: { environment: { V: two }, depends_on: [cache] } }
    aliases: accounts
    lazy: true
    replicas: 3
  orders: { command: x, ports: 8080, environment: { U: 'http://accounts:50051' } }
  web: { command: x, ports: 80, depends_on: [orders, cache] }
  other: { command: x, ports: 81, depends_on: [cache] }
  stripe: { external: 'https://api.example.com' }
";

/// `users` in a version each, as places of the manifest.
fn matrix(versions: &[&str], isolate: bool) -> Matrix {
    let name = |text: &str| good(SHOP).services.get(text).unwrap().name.clone();
    let combination = |(place, version): (usize, &&str)| Combination {
        name: format!("c{}", place + 1),
        versions: [(name("users"), VersionFiles::Declared(name(version)))].into(),
    };
    Matrix { combinations: versions.iter().enumerate().map(combination).collect(), guest: None, isolate }
}

fn names(workspace: &Workspace, places: &[usize]) -> Vec<String> {
    places.iter().map(|&place| workspace.service(place).name.to_string()).collect()
}

fn selected(workspace: &Workspace, profiles: &[&str]) -> Vec<String> {
    let profiles = profiles.iter().map(|it| (*it).to_owned()).collect();
    let mask = select(workspace, &Selection { profiles, ..Selection::default() }, |_| false).unwrap();
    let places: Vec<usize> = (0..mask.len()).filter(|&place| mask[place]).collect();
    names(workspace, &places)
}

#[test]
fn what_calls_a_compared_service_is_apart_and_the_rest_is_shared() {
    let manifest = good(SHOP);
    // orders calls users by an address in a variable, and web calls orders.
    let two = matrix(&["users", "users-v2"], false);
    assert_eq!(names(&manifest, &bases(&manifest, &two)), ["users", "orders", "web"]);
    let workspace = combined(&manifest, &two);
    let shared = ["db", "cache", "migrate", "other", "stripe"];
    let copies = ["users-c1", "orders-c1", "web-c1", "users-c2", "orders-c2", "web-c2"];
    let all: Vec<&str> = shared.into_iter().chain(copies).collect();
    assert_eq!(selected(&workspace, &[]), all);
    assert_eq!(selected(&workspace, &["*"]), all, "no profile boots what is a name alone");
    for name in ["users", "users-v2", "orders", "web"] {
        assert_eq!(workspace.services[name].part, Part::Name, "{name}");
    }
}

#[test]
fn a_copy_is_the_version_and_waits_for_its_own() {
    let manifest = good(SHOP);
    let workspace = combined(&manifest, &matrix(&["users", "users-v2"], false));
    let (first, second) = (&workspace.services["users-c1"], &workspace.services["users-c2"]);
    assert!(!first.environment.own.contains_key("V") && second.environment.own.contains_key("V"));
    assert_eq!((first.replicas, first.lazy, first.aliases.len()), (1, false, 0));
    let plan = plan_of(&workspace);
    let needs = |name: &str| {
        let planned = &plan.services[plan.index(name).unwrap()];
        planned.depends_on.iter().map(|it| plan.services[it.service].name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(
        (needs("web-c1"), needs("web-c2")),
        (vec!["orders-c1".to_owned(), "cache".to_owned()], vec!["orders-c2".to_owned(), "cache".to_owned()])
    );
    assert_eq!(needs("users-c1"), ["db", "migrate"]);
    // Its variables are those that callers of the service have.
    let variables = plan.services[plan.index("web-c2").unwrap()].environment.resolve();
    assert!(variables.contains_key("ORDERS_URL"), "{variables:?}");
    let leads = plan.services[plan.index("web-c2").unwrap()].leads.as_ref().unwrap();
    let leads: Vec<String> = leads.iter().map(|(from, to)| format!("{from} {to}")).collect();
    assert_eq!(leads, ["users users-c2", "orders orders-c2", "web web-c2"]);
    // No number of this machine is theirs, and nothing follows edits.
    assert!(plan.services.iter().all(|it| it.publish.is_empty() && it.watch.is_empty()));
    // One step of setup for one folder, which no name alone asks for.
    let setups: Vec<_> = plan.setups.iter().map(|it| plan.services[it.service].name.to_string()).collect();
    assert_eq!(setups, ["users-c1"]);
}

#[test]
fn a_version_from_a_folder_is_the_service_there() {
    let manifest = good(SHOP);
    let mut one = matrix(&["users"], false);
    let users = manifest.services["users"].name.clone();
    let files = VersionFiles::Folder { stands_for: "/w".into(), folder: "/other".into() };
    one.combinations[0].versions.insert(users, files);
    let workspace = combined(&manifest, &one);
    assert_eq!(workspace.services["users-c1"].working_dir, std::path::Path::new("/other/users"));
    assert_eq!(workspace.services["orders-c1"].working_dir, manifest.services["orders"].working_dir);
}

#[test]
fn isolated_combinations_share_nothing_but_what_lives_elsewhere() {
    let manifest = good(SHOP);
    let workspace = combined(&manifest, &matrix(&["users", "users-v2"], true));
    let all = selected(&workspace, &[]);
    assert_eq!(
        all.iter().filter(|name| !name.ends_with("-c1") && !name.ends_with("-c2")).collect::<Vec<_>>(),
        ["stripe"]
    );
    assert_eq!(all.len(), 15);
}

#[test]
fn isolated_containers_have_volumes_of_their_own() {
    let manifest = good(
        "volumes: { data: {}, all: { external: true } }
services:
  db: { image: 'db:1', ports: 5432, stateful: true, volumes: ['data:/data', /more, 'all:/all'] }
  app: { command: x, ports: 80, depends_on: [db] }
",
    );
    let app = manifest.services["app"].name.clone();
    let combination = |name: &str| Combination {
        name: name.to_owned(),
        versions: [(app.clone(), VersionFiles::Declared(app.clone()))].into(),
    };
    let two = Matrix { combinations: ["c1", "c2"].map(combination).into(), guest: None, isolate: true };
    let workspace = combined(&manifest, &two);
    for copy in ["c1", "c2"] {
        let db = &workspace.services[&*format!("db-{copy}")];
        let mounts = &db.container().unwrap().settings.mounts;
        let own: Vec<_> = mounts.iter().map(|mount| mount.own_volume(db.name.as_str(), db.stateful)).collect();
        assert_eq!(own, [Some(format!("data.{copy}")), Some(format!("db-{copy}.more")), None]);
    }
}

#[test]
fn a_service_is_apart_in_all_its_versions() {
    let manifest = good(
        "services:
  a: { command: x, ports: 80 }
  b: { command: x, ports: 80, versions: { v1: {}, v2: { depends_on: [a] } } }
  c: { command: x, depends_on: [b] }
",
    );
    let a = manifest.services["a"].name.clone();
    let versions = [(a.clone(), VersionFiles::Declared(a))].into();
    let one =
        Matrix { combinations: vec![Combination { name: "c1".to_owned(), versions }], guest: None, isolate: false };
    assert_eq!(names(&manifest, &bases(&manifest, &one)), ["a", "b", "c"]);
    let workspace = combined(&manifest, &one);
    assert_eq!(selected(&workspace, &[]), ["a-c1", "b-c1", "c-c1"]);
}
