//! What is found in routes, and what is not.

use super::*;

fn named() -> Named {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Named {
        local: owned(&["users", "users-v1", "users-v2", "web"]),
        external: owned(&["stripe"]),
        remote: owned(&["staging/users"]),
        any: true,
    }
}

#[test]
fn a_name_that_no_request_has_is_found_where_none_can_bring_its_own() {
    let people = "/svc/people => /#/local/users".parse().unwrap();
    let found = |any| lint(&people, &Rules::default(), &Named { any, ..named() });
    assert_eq!(found(true), []);
    let [finding] = found(false).try_into().unwrap();
    assert_eq!((finding.code, &*finding.needle), ("unmatched_route", "/svc/people"));
    assert!(finding.message.contains("no service is called `people`"), "{}", finding.message);
    let led = "/svc/people => /#/local/users ; /svc/web => /svc/people".parse().unwrap();
    assert_eq!(lint(&led, &Rules::default(), &Named { any: false, ..named() }), []);
}

#[test]
fn addresses_without_a_port_are_found() {
    let cases = [
        ("/$/inet/127.0.0.1/99999", "`99999` is no port"),
        ("/$/inet/127.0.0.1", "it has no port: an address is `/$/inet/HOST/PORT`"),
        ("/$/inet/db/http", "it has no port"),
        ("/$/fixedinet", "an address is `/$/fixedinet/HOST/PORT`"),
        ("/$/io.buoyant.rinet/70000/db", "`70000` is no port"),
    ];
    for (leaf, flaw) in cases {
        let routes = format!("/svc/users => {leaf}").parse().unwrap();
        let [finding] = lint(&routes, &Rules::default(), &named()).try_into().unwrap();
        assert!(finding.code == "bad_address" && finding.message.contains(flaw), "{}", finding.message);
    }
}

fn endless(routes: &str) -> Vec<String> {
    let all = lint(&routes.parse().unwrap(), &Rules::default(), &named());
    all.into_iter().filter(|it| it.code == "endless_route").map(|it| it.message).collect()
}

fn found(routes: &str) -> Vec<String> {
    let all = lint(&routes.parse().unwrap(), &Rules::default(), &named());
    all.into_iter().map(|it| format!("{} {} {}", it.code, it.needle, it.hint.unwrap_or_default())).collect()
}

#[test]
fn what_is_right_is_not_complained_of() {
    for right in [
        "/svc/users => 1 * /#/local/users-v2 & 99 * /#/local/users-v1 | /svc/web",
        "/svc/stripe => /#/external/stripe | /$/inet/127.0.0.1/80 | /#/fs/anything",
        "/svc/users => /#/remote/staging/users",
        "/svc/tomorrow => /svc/users ; /svc/web => /svc/tomorrow",
        "/host => /svc ; /svc/a.b => /host/users ; /svc/* => /#/local",
        "/anything => /b ; /svc => /$/io.buoyant.http.domainToPathPfx/anything",
        "/svc => /#/local ; /svc/users => /#/local/users-v2 | ~ ; /svc/users => /#/local/users | /svc/web",
        "",
    ] {
        assert_eq!(found(right), [""; 0], "{right}");
    }
}

#[test]
fn names_of_nobody_are_found_with_what_was_meant() {
    let cases = [
        ("/svc/users => /#/local/users-v3", "unknown_service /#/local/users-v3 did you mean `users-v1`?"),
        ("/svc/users => ! | (/#/local/usrs & $)", "unknown_service /#/local/usrs did you mean `users`?"),
        ("/svc/web => /#/local/stripe", "unknown_service /#/local/stripe `/#/external/stripe` is what it is called"),
        ("/svc/web => /#/external/stipe", "unknown_service /#/external/stipe did you mean `stripe`?"),
        ("/svc/web => /svc/userz", "unknown_service /svc/userz did you mean `users`?"),
        ("/svc/web => /#/locale/users", "unknown_namer /#/locale/users did you mean `local`?"),
        (
            "/svc/web => /#/io.l5d.fs/users",
            "unknown_namer /#/io.l5d.fs/users there are `/#/local`, `/#/fs`, `/#/external`, `/#/remote`",
        ),
        ("/svc/web => /#/remote/stagin/users", "unknown_remote /#/remote/stagin/users did you mean `staging/users`?"),
    ];
    for (routes, finding) in cases {
        assert_eq!(found(routes), [finding], "{routes}");
    }
}

#[test]
fn what_leads_back_to_itself_is_named() {
    let cases = [
        ("/svc/users => /svc/users", "from /svc/users on, `/svc/users=>/svc/users` leads back to itself"),
        (
            "/svc/web => /svc/users ; /svc/users => /a ; /a => /b ; /b => /a",
            "from /a on, these entries lead back to each other: `/a=>/b`, `/b=>/a`",
        ),
        ("/svc/users => /svc/users/x", "from /svc/users on, `/svc/users=>/svc/users/x` leads back to itself"),
        ("/svc/* => /svc/users | /svc/web", "from /svc/users on, `/svc/*=>/svc/users | /svc/web` leads back to itself"),
        ("/s => /s/a & /s/b ; /svc/users => /s", "`/s=>/s/a & /s/b` leads back to itself"),
        // Names of namers are names as others are.
        ("/ => /#/local", "from /svc/users on, `/=>/#/local` leads back to itself"),
        // Where it is is not there, or is only one of several.
        (
            "/svc/users => /#/local/gone | /svc/web ; /svc/web => /svc/users",
            "`/svc/users=>/#/local/gone | /svc/web`, `/svc/web=>/svc/users`",
        ),
        (
            "/svc/users => /#/local/users & /svc/web ; /svc/web => /svc/users",
            "`/svc/users=>/#/local/users & /svc/web`, `/svc/web=>/svc/users`",
        ),
    ];
    for (routes, told) in cases {
        let ends = endless(routes);
        assert!(ends.len() == 1 && ends[0].contains(told), "{routes}: {ends:?}");
    }
    for fine in [
        "/svc/users => /#/local/users | /svc/users",
        "/svc/users => /svc/web ; /svc/web => /#/local/users",
        "/strip => / ; /svc/users => /strip/strip/svc/web",
        "/svc/users => /#/fs/users | /svc/users",
    ] {
        assert_eq!(endless(fine), [""; 0], "{fine}");
    }
    let chain: Vec<String> = (0..300).map(|n| format!("/n{n}=>/n{}", n + 1)).collect();
    let ends = endless(&format!("/svc/users=>/n0;{};/n300=>/#/local/users", chain.join(";")));
    assert_eq!(ends.len(), 1, "{ends:?}");
    assert!(ends[0].contains("100 names lead to each other"), "{ends:?}");
}

#[test]
fn the_cost_grows_as_the_table_does() {
    type Form = fn(usize) -> String;
    let forms: [Form; 8] = [
        |n| format!("/svc/s{n}=>/svc/s{}", n + 1),
        |n| format!("/svc/s{n}=>/svc/users"),
        |n| format!("/a/s{n}=>/svc/t{n} | /svc/u{n}"),
        |_| "/svc/users=>/svc/users | !".to_owned(),
        |n| format!("/svc/*/x{n}=>/svc/n{n}/y"),
        |n| format!("/a/*/x{n}=>/a/n{n}/y"),
        |n| format!("/svc/*=>/svc/n{n} | !"),
        |n| format!("/*/*/*/*/{n}=>/a/b/c/d/{n}"),
    ];
    let named = named();
    for (place, form) in forms.into_iter().enumerate() {
        let looks = |count: usize| {
            let entries: Vec<String> = (0..count).map(form).collect();
            let routes: Dtab = entries.join(";").parse().unwrap();
            let lint = Lint::new(routes.entries(), &named);
            for (place, entry) in routes.entries().iter().enumerate() {
                leaves(&entry.tree).into_iter().for_each(|leaf| drop(lint.target(leaf)));
                drop(lint.unmatched(entry).or_else(|| lint.hidden(place, entry)));
            }
            1 + [&lint.own, &lint.led, &lint.ends].map(Trie::looks).iter().sum::<usize>()
        };
        let (few, many) = (looks(1000), looks(4000));
        assert!(many <= 4 * few + 10, "form {place}: {few} looks for 1000 entries, {many} for 4000");
    }
}

#[test]
fn entries_that_no_name_comes_to_are_found() {
    let cases = [
        ("/svc/usres => /#/local/users-v2", "unmatched_route /svc/usres did you mean `users`?"),
        ("/srv/users => /#/local/users-v2", "unmatched_route /srv/users names of requests are `/svc/NAME`"),
        (
            "/svc/users => /#/local/users-v2 ; /svc => /#/local | !",
            "hidden_route /svc/users later entries come first; swap the two, or take this one out",
        ),
    ];
    for (routes, finding) in cases {
        assert_eq!(found(routes), [finding], "{routes}");
    }
}
