//! Namers: those that every table has, and those of a workspace.

use std::sync::Arc;

use nagaya::dtab::namers::{Kind, Presence, Services, readings};
use nagaya::dtab::{Address, Bound, Dtab, Interpreter, Limits, NameTree, Namers, Outcome, Place, Table, Unbound};

use super::fixture::Fixture;

/// Where a name of the system leads: to another name, which nobody knows further, or to an end.
fn system(name: &str) -> String {
    // Whatever is not the system's is bound as it is.
    let known = [("/".to_owned(), super::fixture::Said::Word("bound".to_owned()))].into();
    match Fixture::new("/x=>/#/x").namer("/#", known).bind(name) {
        Ok(NameTree::Leaf(bound)) => match bound.place {
            Place::At(()) => bound.residual.to_string(),
            Place::Inet(Address { host, port }) => format!("{} at {host}:{port}, {}", bound.id, bound.residual),
            Place::Vacant => format!("{} at nobody's, {}", bound.id, bound.residual),
        },
        Ok(tree) => tree.map(&mut |bound| bound.id.clone()).to_string(),
        Err(Unbound::UnknownNamer { kind, .. }) => format!("no namer {kind}"),
        Err(reason) => reason.to_string(),
    }
}

#[test]
fn addresses_are_bound_as_they_are() {
    let cases = [
        ("/$/inet/db/5432/x", "/$/inet/db/5432 at db:5432, /x"),
        ("/$/inet/5432/x", "/$/inet/5432 at localhost:5432, /x"),
        ("/$/inet/80/90/x", "/$/inet/80/90 at 80:90, /x"),
        ("/$/fixedinet/10.0.0.1/80", "/$/fixedinet/10.0.0.1/80 at 10.0.0.1:80, /"),
        ("/$/inet/db/70000/x", "/$/inet/db/70000 at nobody's, /x"),
        ("/$/inet/db/-1", "/$/inet/db/-1 at nobody's, /"),
        ("/$/inet/db/http", "no namer inet"),
        ("/$/inet", "no namer inet"),
        ("/$/io.buoyant.rinet/80/db/x", "/$/io.buoyant.rinet/80/db at db:80, /x"),
        ("/$/io.buoyant.rinet/http/db", "/$/io.buoyant.rinet/http/db at nobody's, /"),
        ("/$/io.buoyant.rinet/80", "~"),
        ("/$/nil/x", "$"),
        ("/$/fail/x", "!"),
        ("/$/\\xff", "no namer \\xff"),
        ("/$", "~"),
        ("/", "~"),
    ];
    for (name, expected) in cases {
        assert_eq!(system(name), expected, "{name}");
    }
}

#[test]
fn hosts_and_methods_are_rewritten() {
    let cases = [
        ("io.buoyant.http.anyMethod/GET/x/a", "/x/a"),
        ("io.buoyant.http.anyMethod/Get/x/a", "~"),
        ("io.buoyant.http.anyMethod", "~"),
        ("io.buoyant.http.anyMethodPfx/x/GET/a", "/x/a"),
        ("io.buoyant.http.anyMethodPfx/x/A.B/a", "~"),
        ("io.buoyant.http.anyHost/a.b:80/x/a", "/x/a"),
        ("io.buoyant.http.anyHost/a%b/x/a", "~"),
        ("io.buoyant.http.anyHostPfx/x/a.b/a", "/x/a"),
        ("io.buoyant.http.anyHostPfx/x", "~"),
        ("io.buoyant.http.subdomainOf/a.b/x.a.b:9090/a", "/x/a"),
        ("io.buoyant.http.subdomainOf/a.b/a.b/a", "~"),
        ("io.buoyant.http.subdomainOf/a.b/xa.b/a", "~"),
        ("io.buoyant.http.subdomainOfPfx/a.b/x/bar_suffix.a.b/a", "/x/bar_suffix/a"),
        ("io.buoyant.http.subdomainOfPfx/a.b/x/v2.users.a.b", "/x/v2.users"),
        ("io.buoyant.http.subdomainOfPfx/a.b/x", "~"),
        ("io.buoyant.http.domainToPath/a.y.x/b", "/x/y/a/b"),
        ("io.buoyant.http.domainToPath/a.x./b", "/x/a/b"),
        ("io.buoyant.http.domainToPath/a%x/b", "~"),
        ("io.buoyant.http.domainToPathPfx/x/c.b.a/d", "/x/a/b/c/d"),
        ("io.buoyant.hostportPfx/x/users:8080/a", "/x/users/8080/a"),
        ("io.buoyant.hostportPfx/x/users:http", "/x/users/http"),
        ("io.buoyant.hostportPfx/x/users", "~"),
        ("io.buoyant.hostportPfx/x/users:HTTP", "~"),
        ("io.buoyant.hostportPfx/x/a:b:c", "~"),
        ("io.buoyant.porthostPfx/x/users:8080/a", "/x/8080/users/a"),
    ];
    for (name, expected) in cases {
        let expected =
            if let Some(rest) = expected.strip_prefix('/') { format!("/{rest}") } else { expected.to_owned() };
        assert_eq!(system(&format!("/$/{name}")), expected, "{name}");
    }
    for broken in ["domainToPath/a..x", "domainToPath/.a"] {
        assert!(system(&format!("/$/io.buoyant.http.{broken}")).contains("is empty"), "{broken}");
    }
    assert!(system("/$/io.buoyant.hostportPfx/x/:80").ends_with("`:80` has no host"));
}

/// A workspace: `users` in two versions of which one starts, `db` that has stopped, `idle` without instances.
struct Shop;

impl Services<&'static str> for Shop {
    fn find(&self, kind: Kind, name: &str) -> Presence<&'static str> {
        match kind {
            Kind::File if name == "empty" => Presence::Vacant,
            Kind::External if name == "stripe" => Presence::At("https://api.stripe.com"),
            Kind::Remote if name == "staging/users" => Presence::At("https://users.staging"),
            Kind::File | Kind::External | Kind::Remote => Presence::Absent,
            Kind::Local => readings(name).find_map(version).unwrap_or(Presence::Absent),
        }
    }
}

fn version(reading: (&str, Option<&str>)) -> Option<Presence<&'static str>> {
    match reading {
        ("users", None | Some("v1")) => Some(Presence::At("users v1")),
        ("users", Some("v2")) => Some(Presence::Pending),
        ("user-db", None) => Some(Presence::At("db")),
        ("idle", None) => Some(Presence::Vacant),
        _ => None,
    }
}

fn in_shop(table: &str) -> Outcome<&'static str> {
    let (table, local, namers) =
        (Table::new(table.parse().unwrap()), Dtab::default(), Namers::of_workspace(Arc::new(Shop)));
    Interpreter { table: &table, rules: &[], local: &local, namers: &namers, limits: Limits::default() }
        .bind(&"/a/x".parse().unwrap())
}

fn places(outcome: Outcome<&'static str>) -> String {
    let shown = |bound: &Bound<&'static str>| format!("{} {:?} {}", bound.id, bound.place, bound.residual);
    outcome.map_or_else(|reason| reason.to_string(), |tree| tree.map(&mut |leaf| shown(leaf)).to_string())
}

#[test]
fn services_are_bound_by_name_and_version() {
    assert_eq!(places(in_shop("/a=>/#/local/users")), r#"/#/local/users At("users v1") /x"#);
    assert_eq!(places(in_shop("/a=>/#/local/users-v1")), r#"/#/local/users-v1 At("users v1") /x"#);
    assert_eq!(places(in_shop("/a=>/#/local/user-db")), r#"/#/local/user-db At("db") /x"#);
    assert_eq!(places(in_shop("/a=>/#/external/stripe")), r#"/#/external/stripe At("https://api.stripe.com") /x"#);
    for nobody in ["/#/local/nobody", "/#/local", "/#/local/\\xff", "/#/fs/none", "/#/other/users", "/#"] {
        assert_eq!(in_shop(&format!("/a=>{nobody} | ~")), Ok(NameTree::Neg), "{nobody}");
    }
}

#[test]
fn fallbacks_are_for_what_is_absent_alone() {
    let with_fallback = |name: &str| places(in_shop(&format!("/a=>/#/local/users;/a=>{name}")));
    assert_eq!(with_fallback("/#/local/db"), r#"/#/local/users At("users v1") /x"#);
    assert_eq!(with_fallback("/#/local/idle"), "/#/local/idle Vacant /x");
    assert_eq!(with_fallback("/#/fs/empty"), "/#/fs/empty Vacant /x");
    assert_eq!(with_fallback("/#/local/users-v2"), "not known yet: /#/local/users-v2/x");
}

#[test]
fn a_union_goes_on_without_what_is_pending_and_with_what_is_vacant() {
    assert_eq!(places(in_shop("/a=>/#/local/users-v2 & /#/local/users")), r#"/#/local/users At("users v1") /x"#);
    let tree = in_shop("/a=>/#/local/idle & /#/local/users").unwrap();
    assert_eq!(tree.shares().len(), 2);
    let Err(Unbound::Pending(paths)) = in_shop("/a=>/#/local/users-v2 & /#/local/users-v2/y") else {
        panic!("pending")
    };
    assert_eq!(
        paths.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["/#/local/users-v2/x", "/#/local/users-v2/y/x"]
    );
}
