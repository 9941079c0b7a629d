//! `remotes`: where services run that are not run here.

use crate::support::manifest::{Disk, bad, good};

const SERVICES: &str = "services:
  web: { command: x, ports: 8080 }
  users: { command: x, ports: { grpc: 50051 }, versions: { v1: {}, v2: {} } }
  db: { command: x, ports: { tcp: 5432 } }
  job: { command: x }
  stripe: { external: https://api.stripe.com }
";

fn urls(remotes: &str) -> Vec<String> {
    let workspace = good(&format!("remotes: {remotes}\n{SERVICES}"));
    let one = |(remote, services): (&String, &indexmap::IndexMap<String, nagaya::model::External>)| {
        services.iter().map(|(service, url)| format!("{remote} {service} {url}")).collect::<Vec<_>>()
    };
    workspace.remotes.iter().flat_map(one).collect()
}

#[test]
fn each_service_has_its_url() {
    let own = "{ staging: { users: 'https://u.example.com/v1', '*': 'https://{name}.staging.example.com' } }";
    let expected = ["staging users https://u.example.com/v1", "staging web https://web.staging.example.com"];
    assert_eq!(urls(own), expected);
    let several = "{ a: { db: 'tcp://db.example.com:5432' }, b: { stripe: 'https://test.stripe.com' } }";
    assert_eq!(urls(several), ["a db tcp://db.example.com:5432", "b stripe https://test.stripe.com"]);
    assert_eq!(urls("{ a: { '*': 'grpcs://{name}.example.com' } }"), ["a users grpcs://users.example.com"]);
    assert_eq!(urls("{}"), [""; 0]);
}

#[test]
fn what_an_included_manifest_says_holds_for_its_own_services() {
    let disk = Disk::default()
        .with(
            "nagaya.yaml",
            "include: users/nagaya.yaml\nservices: { web: { command: x, ports: 80 } }\nremotes: { s: { users: 'http://main' } }\n",
        )
        .with(
            "users/nagaya.yaml",
            "services: { users: { command: x, ports: 80 }, cart: { command: x, ports: 80 } }\nremotes: { s: { users: 'http://own', '*': 'http://{name}' }, t: { web: 'http://t' } }\n",
        );
    let (workspace, problems) = disk.load();
    assert!(!problems.has_errors(), "{:?}", problems.list);
    let remotes = workspace.unwrap().remotes;
    let shown = |remote: &str| remotes[remote].iter().map(|(name, url)| format!("{name} {url}")).collect::<Vec<_>>();
    assert_eq!(shown("s"), ["users http://main", "cart http://cart"]);
    assert_eq!(shown("t"), ["web http://t"]);
}

#[test]
fn what_leads_nowhere_is_told_with_its_place() {
    let problem = |remotes: &str| bad(&format!("remotes: {remotes}\n{SERVICES}"));
    let cases = [
        ("{ s: { usres: 'http://x' } }", "1:17 unknown_service there is no service `usres` | did you mean `users`?"),
        (
            "{ s: { users-v2: 'http://x' } }",
            "1:17 unknown_service there is no service `users-v2` | the services are web, users,",
        ),
        ("{ s: { job: 'http://x' } }", "1:22 bad_remote `job` has no ports, so nobody calls it"),
        (
            "{ s: { db: 'https://x' } }",
            "1:21 bad_remote none of the ports of `db` can be called by `https://` | `tcp://HOST:PORT` is for ports that speak no HTTP",
        ),
        (
            "{ s: { '*': 'https://x' } }",
            "1:22 bad_remote the URL under `*` is the same for all services | write `{name}` where the name of the service belongs",
        ),
        (
            "{ s: { '*': 'ftp://{name}' } }",
            "1:22 bad_url no URL of a service: `ftp` is no scheme that can be called here",
        ),
        ("{ s: { web: 'https://{nam}.x' } }", "1:22 bad_url no URL of a service: `{nam}.x` is no host"),
        ("{ 'S T': {} }", "1:12 bad_name `S T` is no name of a remote: `S` cannot stand in a name"),
    ];
    for (remotes, expected) in cases {
        let found = problem(remotes);
        assert!(found.len() == 1 && found[0].starts_with(expected), "{remotes}: {found:?}");
    }
}
