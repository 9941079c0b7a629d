//! Every template, in both of its forms: what it makes of a service, and README's table of them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nagaya::manifest::{Files, Problems, Request, Shell, TEMPLATES, load};
use nagaya::model::{Check, Form, MountSource, Piece, Readiness, Service, Workspace};

use crate::support::manifest::{Disk, shown};

/// A disk on which every program is found, in version 15.18, or none.
struct Programs(Disk, bool);

impl Files for Programs {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.read(path)
    }

    fn is_dir(&self, path: &Path) -> bool {
        self.0.is_dir(path)
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        self.0.canonical(path)
    }

    fn programs(&self, name: &str, _: Option<&str>, _: &[String]) -> (Vec<PathBuf>, Vec<PathBuf>) {
        if self.1 { (vec![Path::new("/usr/lib/it/15/bin").join(name)], Vec::new()) } else { Default::default() }
    }

    fn version(&self, _: &Path) -> Option<String> {
        Some("15.18".to_owned())
    }
}

fn loaded(template: &str, has_programs: bool) -> (Option<Workspace>, Problems) {
    let text = format!("services:\n  it: {{ template: {template} }}\n  app: {{ command: run, depends_on: [it] }}\n");
    let disk = Disk::default().with("nagaya.yaml", &text).with("a.sql", "").with("db/b.sql", "");
    let disk = Programs(disk, has_programs);
    let request = Request { files: vec!["/w/nagaya.yaml".into()], ..Request::default() };
    load(&request, &Shell::default(), &disk)
}

/// The service of a template that can be had in this form.
#[track_caller]
fn made(template: &str, has_programs: bool) -> Option<Service> {
    let (workspace, problems) = loaded(template, has_programs);
    if problems.list.iter().any(|problem| problem.code == "no_program") {
        return None;
    }
    assert_eq!(shown(&problems), [""; 0], "{template}");
    Some(workspace.unwrap().service(0).clone())
}

#[test]
fn a_container_in_the_place_of_another_version_is_told_of_unless_it_is_asked_for() {
    let told = |template: &str| shown(&loaded(template, true).1).join("\n");
    let (other, meant) = (told("postgres@99"), told("{ name: postgres, version: '99', run: container }"));
    assert!(other.contains("`postgres` is not on this machine in version 99, so this is a container"), "{other}");
    assert_eq!(meant, "");
    assert_eq!(told("postgres@15"), "");
    assert!(told("postgres@").contains("a version is not empty"));
    assert_eq!(shown(&loaded("postgres@99", false).1), [""; 0]);
}

#[test]
fn a_program_is_asked_for_its_version_where_its_folder_does_not_tell_enough() {
    for (version, is_here) in [("15", true), ("15.18", true), ("15.1", false), ("15.17", false), ("16", false)] {
        let service = made(&format!("{{ name: postgres, run: host, version: '{version}' }}"), true);
        assert_eq!(service.is_some(), is_here, "{version}");
    }
}

/// The line of a template's file that begins so.
fn line<'a>(text: &'a str, begin: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(begin))
}

#[test]
fn each_has_what_a_template_has() {
    for it in TEMPLATES {
        let (name, text) = (it.name, it.text);
        assert!(text.starts_with("# ") && !it.about().is_empty(), "{name} says what it is");
        let (by_host, by_container) = (made(&format!("{{ name: {name}, run: host }}"), true), made(name, false));
        assert_eq!(by_host.is_some(), text.contains("\nhost:\n"), "{name}");
        let Some(container) = by_container.as_ref().and_then(Service::container) else {
            panic!("{name} has a container");
        };
        let image = container.image.name.clone().unwrap();
        let tag = image.rsplit('/').next().unwrap().split_once(':').map(|(_, tag)| tag);
        let is_version = |tag: &str| tag.contains(|c: char| c.is_ascii_digit()) && tag != "latest";
        assert!(tag.is_some_and(is_version), "{name}: {image} has a version");
        // Asked for in a version, it has that one.
        let asked = made(&format!("{{ name: {name}, run: container, version: '1.2.3' }}"), false).unwrap();
        assert!(asked.container().unwrap().image.name.as_ref().unwrap().ends_with(":1.2.3"), "{name}");
        for service in by_host.iter().chain(&by_container) {
            assert!(!service.ports.is_empty() && !service.binds.is_empty(), "{name}");
            assert!(
                service.binds.iter().all(|(key, _)| key.chars().all(|c| c.is_ascii_uppercase() || "_3".contains(c))),
                "{name}"
            );
            let leads = |value: &nagaya::model::Template| {
                value.references().any(|it| it.service == service.name && it.form != Form::Url)
            };
            assert!(
                service.binds.iter().any(|(_, value)| leads(value)),
                "{name}: who depends on it is told where it is"
            );
            assert_eq!(service.stateful, text.contains("stateful: true"), "{name}");
            assert_eq!(service.snapshot, service.stateful, "{name}");
            for command in service.commands() {
                assert!(!command.written().contains("${"), "{name}: {}", command.written());
            }
        }
        if let (Some(host), Some(container)) = (&by_host, &by_container) {
            assert_eq!(host.ports, container.ports, "{name}");
            assert_eq!((&host.binds, &host.database), (&container.binds, &container.database), "{name}");
        }
        let volume = |mount: &&nagaya::model::Mount| matches!(&mount.source, MountSource::Volume { name, shared: false } if name == "it-data");
        let mounted = container.settings.mounts.iter().find(volume).map(|mount| mount.target.as_str());
        assert_eq!(mounted, line(text, "data: "), "{name}");
        assert_eq!(
            mounted.is_some(),
            by_container.as_ref().unwrap().stateful,
            "{name}: data stays after its container"
        );
    }
}

/// A machine that is busy for some seconds makes none of them unready, and one that is ready costs next to nothing.
#[test]
fn what_is_ready_is_asked_seldom_and_has_time_to_answer() {
    for it in TEMPLATES {
        let host = format!("{{ name: {}, run: host }}", it.name);
        for service in [made(&host, true), made(it.name, false)].into_iter().flatten() {
            let Readiness::Probe(probe) = &service.readiness else { continue };
            let rhythm = probe.rhythm;
            assert!(rhythm.quiet_period >= Duration::from_secs(10), "{}: {rhythm:?}", it.name);
            let until_unready = rhythm.period.min(rhythm.timeout) * rhythm.failure_threshold;
            assert!(until_unready >= Duration::from_secs(3), "{}: {rhythm:?}", it.name);
            let is_program = matches!(probe.check, Check::Exec(_));
            assert!(!is_program || rhythm.timeout >= Duration::from_secs(5), "{}: {rhythm:?}", it.name);
        }
    }
}

#[test]
fn seeds_are_in_the_place_where_an_image_looks_for_them() {
    for (name, folder) in [("postgres", "/docker-entrypoint-initdb.d"), ("mongodb", "/docker-entrypoint-initdb.d")] {
        let service = made(&format!("{{ name: {name}, seed: [db/b.sql, a.sql] }}"), false).unwrap();
        let mounts = &service.container().unwrap().settings.mounts;
        let seeds = mounts.iter().filter_map(|mount| match &mount.source {
            MountSource::Host(path) => Some((path.clone(), mount.target.clone(), mount.read_only)),
            _ => None,
        });
        let seeds: Vec<_> = seeds.collect();
        let seed = |path: &str, target: &str| (PathBuf::from(path), format!("{folder}/{target}"), true);
        assert_eq!(seeds, [seed("/w/db/b.sql", "01-b.sql"), seed("/w/a.sql", "02-a.sql")]);
    }
    let (_, problems) = loaded("{ name: postgres, seed: [a.sql, c.sql] }", false);
    assert!(shown(&problems)[0].contains("there is no `c.sql`") && !problems.has_errors(), "{:?}", shown(&problems));
    let (_, problems) = loaded("{ name: redis, seed: [a] }", false);
    assert!(shown(&problems)[0].contains("`redis` takes no `seed`"), "{:?}", shown(&problems));
}

#[test]
fn readme_lists_them_all() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let (_, table) =
        page.split_once("| template | the host's program | image | gives |\n").expect("README has the table");
    let rows: Vec<&str> = table.lines().skip(1).take_while(|line| line.starts_with('|')).collect();
    let expected: Vec<String> = TEMPLATES.iter().map(|it| row(it.name, it.text)).collect();
    assert_eq!(rows, expected);
}

fn row(name: &str, text: &str) -> String {
    let program = line(text, "  program: ").map_or("–".to_owned(), |program| format!("`{program}`"));
    let image = line(text, "  image: ").unwrap().replace("${version:-", "").replace('}', "");
    let (_, binds) = text.split_once("\nbind:\n").unwrap();
    let keys =
        binds.lines().take_while(|line| line.starts_with("  ")).map(|line| line.trim().split(':').next().unwrap());
    let keys: Vec<String> = keys.map(|key| format!("`{key}`")).collect();
    format!("| `{name}` | {program} | `{image}` | {} |", keys.join(" "))
}

#[test]
fn a_database_of_several_is_a_warning_that_names_them() {
    let warned = |text: &str| {
        let (workspace, problems) = Disk::default().with("nagaya.yaml", text).load();
        assert_eq!(shown(&problems), [""; 0]);
        let lints = nagaya::plan::lints(&workspace.unwrap(), nagaya::model::NetworkMode::Pod);
        { lints }
            .into_iter()
            .filter(|lint| lint.code == "database_coupling")
            .map(|lint| lint.message)
            .collect::<Vec<_>>()
    };
    let db = "  db: { command: run, ports: 5432 }\n";
    let user = |name: &str, url: &str| format!("  {name}: {{ command: run, environment: {{ URL: '{url}' }} }}\n");
    let text = |users: &[String]| format!("services:\n{db}{}", users.concat());
    let both = [user("users", "postgres://me@db:5432/shop?x=1"), user("orders", "jdbc:postgresql://db/shop")];
    let expected = "`users` (nagaya.yaml:3), `orders` (nagaya.yaml:4) use one database, `shop` of `db`: a change of its tables \
                    by one is a change for the others";
    assert_eq!(warned(&text(&both)), [expected]);
    let filled = [user("users", "postgresql+asyncpg://${db.addr}/shop"), user("orders", "mysql://u:p@db/shop")];
    assert_eq!(warned(&text(&filled)).len(), 1);
    for users in [
        [user("users", "postgres://db/users"), user("orders", "postgres://db/orders")],
        [user("users", "postgres://db/shop"), user("orders", "postgres://elsewhere/shop")],
        [user("users", "postgres://db/shop"), user("orders", "http://db/shop")],
        [user("users", "postgres://db"), user("orders", "postgres://db")],
    ] {
        assert_eq!(warned(&text(&users)), [""; 0], "{users:?}");
    }
    // What others wait for the end of makes the tables, and so does a task.
    let jobs = "services:
  db: { command: run, ports: 5432 }
  migrate: { command: run, environment: { URL: 'postgres://db/shop' } }
  app: { command: run, environment: { URL: 'postgres://db/shop' }, depends_on: { migrate: completed } }
tasks: { seed: { command: run } }
";
    assert_eq!(warned(jobs), [""; 0]);
    // Two versions of one service are two programs.
    let versions = "services:
  db: { command: run, ports: 5432 }
  app: { command: run, ports: 80, environment: { URL: 'postgres://db/shop' }, versions: { v1: {}, v2: {} } }
";
    assert!(
        warned(versions)[0].contains("`app`") && warned(versions)[0].contains("`app-v2`"),
        "{:?}",
        warned(versions)
    );
}

#[test]
fn a_templates_database_is_shared_by_those_that_depend_on_it() {
    let text = "services:
  db: { template: { name: postgres, options: { database: shop } } }
  one: { command: run, depends_on: [db] }
  two: { command: run, depends_on: [db] }
  own: { command: run, depends_on: [db], environment: { DATABASE_URL: 'postgres://app:app@${db.addr}/own' } }
  cache: { template: redis }
  three: { command: run, depends_on: [cache] }
  four: { command: run, depends_on: [cache] }
";
    let disk = Programs(Disk::default().with("nagaya.yaml", text), true);
    let request = Request { files: vec!["/w/nagaya.yaml".into()], ..Request::default() };
    let (workspace, problems) = load(&request, &Shell::default(), &disk);
    assert_eq!(shown(&problems), [""; 0]);
    let workspace = workspace.unwrap();
    let found = nagaya::plan::couplings(&workspace);
    let name = |place: usize| workspace.service(place).name.as_str();
    assert_eq!(found.len(), 1);
    assert_eq!((name(found[0].server), found[0].database.as_str()), ("db", "shop"));
    assert_eq!(found[0].users.iter().map(|place| name(*place)).collect::<Vec<_>>(), ["one", "two"]);
    let url = &workspace.service(0).binds[0].1;
    assert!(url.0.iter().any(|piece| matches!(piece, Piece::Address(it) if it.service.as_str() == "db")));
}
