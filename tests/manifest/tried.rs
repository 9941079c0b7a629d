//! A workspace with versions that are tried beside its services.

use std::path::Path;

use nagaya::model::{NotTried, ServiceName, Tried};

use crate::support::manifest::good;

const SHOP: &str = "
services:
  db: { command: x }
  web: { command: x, depends_on: [users], aliases: users-shown }
  users:
    command: ./run
    working_dir: users
    ports: { grpc: 50051 }
    aliases: accounts
    publish: 50052:50051
    depends_on: [db]
  stripe: { external: 'https://api.example.com' }
";

fn tried(of: &str, version: &str, stands_for: &str, folder: &str) -> Tried {
    let name = |text: &str| ServiceName::new(text).unwrap();
    Tried {
        of: name(of),
        version: version.to_owned(),
        name: name(&format!("{of}-{version}")),
        stands_for: stands_for.into(),
        folder: folder.into(),
    }
}

#[test]
fn a_version_is_the_service_in_another_folder() {
    let manifest = good(SHOP);
    let (workspace, left_out) = manifest.trying(&[tried("users", "fix", "/w", "/other")]);
    assert_eq!(left_out, []);
    assert_eq!(workspace.index("users-fix"), Some(manifest.services.len()));
    let (own, fix) = (&workspace.services["users"], &workspace.services["users-fix"]);
    assert_eq!(own, &manifest.services["users"]);
    assert_eq!(fix.working_dir, Path::new("/other/users"));
    assert_eq!((&fix.run, &fix.ports, &fix.environment), (&own.run, &own.ports, &own.environment));
    let version = fix.version.as_ref().unwrap();
    assert_eq!((version.of.as_str(), version.name.as_str()), ("users", "fix"));
    // One name and one number lead to the service, not to each of its versions.
    assert_eq!((fix.aliases.len(), fix.publish.len()), (0, 0));
    let place = |name: &str| workspace.index(name).unwrap();
    assert_eq!(workspace.graph.dependencies(place("users-fix")), [place("db")]);
    assert!(workspace.graph.dependents(place("users-fix")).is_empty());
}

#[test]
fn a_folder_stands_for_another() {
    let cases = [
        ("/w", "/other", "/w/users", "/other/users"),
        ("/w", "/other", "/w", "/other"),
        ("/w/users", "/other", "/w/users", "/other"),
        ("/w", "/other", "/elsewhere", "/other"),
    ];
    for (stands_for, folder, path, found) in cases {
        assert_eq!(tried("users", "fix", stands_for, folder).folder_of(Path::new(path)), Path::new(found), "{path}");
    }
}

#[test]
fn what_does_not_fit_any_more_is_left_out_with_the_reason() {
    let manifest = good(SHOP);
    let name = |text: &str| ServiceName::new(text).unwrap();
    let (workspace, left_out) = manifest.trying(&[
        tried("gone", "fix", "/w", "/other"),
        tried("stripe", "fix", "/w", "/other"),
        tried("users", "shown", "/w", "/other"),
        tried("users", "fix", "/w", "/other"),
    ]);
    assert_eq!(
        left_out,
        [
            NotTried::Gone { name: name("gone-fix"), of: name("gone") },
            NotTried::Elsewhere { name: name("stripe-fix"), of: name("stripe") },
            NotTried::Named { name: name("users-shown") },
        ]
    );
    assert!(workspace.index("users-fix").is_some() && workspace.index("gone-fix").is_none());
}

#[test]
fn the_files_that_a_command_names_are_known_where_its_words_are_plain() {
    let cases = [
        ("command: [python3, server.py, --port, '80']", "python3 server.py 80"),
        ("command: exec ./run --fast", "exec ./run"),
        ("command: make run && ./run", ""),
        ("command: './run > out'", ""),
        ("command: ./run $PORT", ""),
        ("command: [../x, /bin/y, a/../b, ~/z]", ""),
        ("command: ./run\n    setup: [make]", ""),
    ];
    for (command, files) in cases {
        let workspace = good(&format!("services:\n  a:\n    {command}\n"));
        let named = workspace.services["a"].files_named();
        let named: Vec<String> = named.iter().map(|file| file.display().to_string()).collect();
        assert_eq!(named.join(" "), files, "{command}");
    }
}
