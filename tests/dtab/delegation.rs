//! Traces: what they tell, and that they tell of what binding does.

use nagaya::dtab::{Fate, Origin, Path, Place, Step};
use nagaya::view::delegate_tree::{Addr, DelegateTree, Endpoint, Meta};
use serde_json::{Value, json};

use super::fixture::{Fixture, Said, story};

/// A request from a browser, by way of its host, five names deep, with an override for a version that is not there.
fn shop() -> Fixture {
    let table = "
        /svc    => /#/local ;
        /host   => /$/io.buoyant.http.subdomainOfPfx/dev.local/svc ;
        /stable => /svc/users-v1 ;
        /canary => /svc/users-v2 ;
        /svc/users => 25 * /canary & 75 * /stable & /retired ;
        /svc/users => /blue | ~ ;
    ";
    Fixture::new(table).local("/svc/users => /svc/users-v3").services("/#/local", &["users", "users-v1", "users-v2"])
}

#[test]
fn a_trace_reads_like_a_story() {
    insta::assert_snapshot!(story(&shop().delegate("/host/users.dev.local:8080/42")));
}

#[test]
fn who_is_known_and_not_there_is_told() {
    let stopped = |name: &Path| (name.to_string() == "/#/local/users-v3").then(|| "users-v3 is stopped".to_owned());
    let told = nagaya::view::story(&shop().delegate("/svc/users"), &stopped);
    assert!(told.contains("the namer /#/local takes it for nobody's: users-v3 is stopped"), "{told}");
}

#[test]
fn every_end_is_told() {
    let fixture = Fixture::new(
        "/off=>! | /on;/gone=>$;/round=>/round/again;/bad=>/$/nonsense;/slow=>/#/slow/x;/none=>/nowhere;\
         /tilde=>~;/one=>/$/inet/db/5432;/both=>(/one | /off) & 3*($ | /one) & !",
    )
    .namer("/#/slow", [("/x".to_owned(), Said::Word("pending".to_owned()))].into());
    let names = ["/off", "/gone/x", "/round", "/bad", "/slow", "/none", "/tilde", "/one/x", "/both"];
    let told: Vec<String> = names.iter().map(|name| story(&fixture.delegate(name))).collect();
    insta::assert_snapshot!(told.join("\n\n\n"));
}

#[test]
fn a_trace_has_what_became_of_each_entry() {
    let trace = shop().delegate("/svc/users");
    let told: Vec<(String, Fate)> = trace
        .parts
        .iter()
        .map(|part| match &part.step {
            Step::Entry { dentry, origin, .. } => (format!("{} {dentry}", *origin == Origin::Override), part.fate),
            other => panic!("{other:?}"),
        })
        .collect();
    let expected = [
        ("true /svc/users=>/svc/users-v3", Fate::Negative),
        ("false /svc/users=>/blue | ~", Fate::Negative),
        ("false /svc/users=>25*/canary & 75*/stable & /retired", Fate::Taken),
        ("false /svc=>/#/local", Fate::NotNeeded),
    ];
    assert_eq!(told, expected.map(|(entry, fate)| (entry.to_owned(), fate)));
    let union = &trace.parts[2].parts[0];
    let fates: Vec<Fate> = union.parts.iter().map(|part| part.fate).collect();
    assert_eq!(fates, [Fate::Shares(0.25), Fate::Shares(0.75), Fate::Dropped]);
    let last = &trace.parts[3];
    assert_eq!(last.outcome.clone().unwrap().shares()[0].leaf.unwrap().id.to_string(), "/#/local/users", "it would be");
}

#[test]
fn rules_stand_between_the_table_and_what_a_request_brings() {
    let table = "/svc=>/#/local;/svc/users=>/#/local/users-v1";
    let names = ["users", "users-v1", "users-v2"];
    let shop = |own: &str| {
        let fixture = Fixture::new(table).local(own).services("/#/local", &names);
        let fixture = fixture.rule("any request", "/svc/users=>/#/local/users");
        fixture.rule("POST", "/svc/users=>/#/local/users-v3").rule("other", "/svc/web=>!")
    };
    let expected = "\
/svc/users
├─ /svc/users => /#/local/users-v3  (rule POST): leads nowhere, so the next is tried
│  /#/local/users-v3
│  └─ the namer /#/local knows nothing of it
├─ /svc/users => /#/local/users  (rule any request)
│  /#/local/users
│  └─ the namer /#/local binds it: /#/local/users
├─ /svc/users => /#/local/users-v1  (entry 2): not needed; it would be /#/local/users-v1
└─ /svc => /#/local  (entry 1): not needed; it would be /#/local/users

It goes to /#/local/users";
    assert_eq!(story(&shop("").delegate("/svc/users")), expected);
    let own = shop("/svc/users=>/#/local/users-v2").bind("/svc/users").unwrap();
    assert_eq!(own.shares()[0].leaf.unwrap().id.to_string(), "/#/local/users-v2");
}

#[test]
fn a_trace_shares_out_what_a_draw_does() {
    for (union, expected) in [
        ("0*$ & 0*/$/inet/1", [Fate::Shares(0.0), Fate::Shares(1.0)]),
        ("0*$ & 0*$", [Fate::Shares(0.0), Fate::Shares(0.0)]),
        ("0*/$/inet/1 & 0*/$/inet/2", [Fate::Shares(0.5), Fate::Shares(0.5)]),
        ("$ & 3*/$/inet/1", [Fate::Shares(0.25), Fate::Shares(0.75)]),
        ("5*! & /$/inet/1", [Fate::Dropped, Fate::Shares(1.0)]),
    ] {
        let trace = Fixture::new(&format!("/a=>{union}")).delegate("/a");
        let fates: Vec<Fate> = trace.parts[0].parts[0].parts.iter().map(|part| part.fate).collect();
        assert_eq!(fates, expected, "{union}");
    }
}

/// A trace in linkerd's shape, with the addresses that are written in names.
fn linkerds(fixture: &Fixture, path: &str) -> Value {
    let addr = |place: &Place<()>| match place {
        Place::Inet(to) => {
            Addr::Bound { addrs: vec![Endpoint { ip: to.host.clone(), port: to.port, meta: Meta {} }], meta: Meta {} }
        }
        Place::At(()) | Place::Vacant => Addr::Neg,
    };
    serde_json::to_value(DelegateTree::new(&fixture.delegate(path), &addr)).unwrap()
}

/// As in DelegateApiHandlerTest of linkerd 1; only messages are ours.
#[test]
fn linkerds_api_would_answer_the_same() {
    let table = "/beh=>/#/error;/bah/humbug=>/$/inet/127.1/8080;/foo=>/bah | /beh | /$/fail;/foo=>/bar;/boo=>/foo;\
                 /meh=>/heh;/neg=>~";
    let fixture = Fixture::new(table).namer("/#/error", [("/".to_owned(), Said::Word("error".to_owned()))].into());
    let foo = json!({ "prefix": "/foo", "dst": "/bah | /beh | /$/fail" });
    let addr = json!({ "type": "bound", "addrs": [{ "ip": "127.1", "port": 8080, "meta": {} }], "meta": {} });
    let expected = json!({ "type": "delegate", "path": "/boo/humbug", "delegate": {
        "type": "alt", "path": "/foo/humbug", "dentry": { "prefix": "/boo", "dst": "/foo" }, "alt": [
            { "type": "neg", "path": "/bar/humbug", "dentry": { "prefix": "/foo", "dst": "/bar" } },
            { "type": "delegate", "path": "/bah/humbug", "dentry": foo, "delegate": {
                "type": "leaf", "path": "/$/inet/127.1/8080",
                "dentry": { "prefix": "/bah/humbug", "dst": "/$/inet/127.1/8080" },
                "bound": { "addr": addr, "id": "/$/inet/127.1/8080", "path": "/" } } },
            { "type": "delegate", "path": "/beh/humbug", "dentry": foo, "delegate": {
                "type": "exception", "path": "/#/error/humbug", "dentry": { "prefix": "/beh", "dst": "/#/error" },
                "message": "/#/error/humbug: it broke" } },
            { "type": "fail", "path": "/$/fail/humbug", "dentry": foo } ] } });
    assert_eq!(linkerds(&fixture, "/boo/humbug"), expected);
    let neg = |path: &str, prefix: &str, dst: &str| json!({ "type": "neg", "path": path, "dentry": { "prefix": prefix, "dst": dst } });
    let through = |path: &str, to: Value| json!({ "type": "delegate", "path": path, "delegate": to });
    assert_eq!(linkerds(&fixture, "/meh"), through("/meh", neg("/heh", "/meh", "/heh")));
    assert_eq!(linkerds(&fixture, "/neg"), through("/neg", neg("~", "/neg", "~")));
}

/// What only traces can have: names that are not known yet, and ways without an end.
#[test]
fn linkerds_shape_has_a_place_for_every_end() {
    let slow = [("/x".to_owned(), Said::Word("pending".to_owned()))];
    let fixture = Fixture::new("/slow=>/#/slow/x;/round=>/round;/some=>/round | /$/nil").namer("/#/slow", slow.into());
    assert_eq!(linkerds(&fixture, "/slow")["delegate"]["bound"]["addr"], json!({ "type": "pending" }));
    let round = linkerds(&fixture, "/round");
    assert_eq!((&round["type"], &round["path"]), (&json!("exception"), &json!("/round")));
    let some = linkerds(&fixture, "/some");
    assert_eq!((&some["alt"][0]["type"], &some["alt"][1]["type"]), (&json!("exception"), &json!("empty")));
}
