//! Snapshots of what containers keep in volumes.

use std::fs;

use super::backing::{BACKING, postgres, shell, stocked};
use super::services::{boxed, down, id, tells};
use super::{Docker, IMAGE};
use crate::support::sandbox::{Account, Sandbox, finish, until};

const COUNT: &str = "psql -qtA \"$DATABASE_URL\" -c 'SELECT count(*) FROM items'";
const COLOUR: &str = "redis-cli -h cache get colour";

fn insert(sandbox: &Sandbox) {
    shell(sandbox, "psql -q \"$DATABASE_URL\" -c \"INSERT INTO items VALUES ('more')\"");
}

fn volumes(docker: &Docker, id: &str) -> Vec<String> {
    let label = format!("label=nagaya.workspace={id}");
    let out = finish(docker.client().args(["volume", "ls", "--quiet", "--filter", &label])).good().out;
    out.lines().map(str::to_owned).collect()
}

#[test]
fn what_containers_keep_in_volumes_is_saved_and_restored() {
    let docker = stocked();
    let manifest = BACKING.replace("VERSION", &postgres().1).replace("WHERE", "container");
    let sandbox = boxed(&docker, Account::unprivileged(), &manifest);
    sandbox.write("seed.sql", "CREATE TABLE items (name text);\nINSERT INTO items VALUES ('one');\n");
    sandbox.up();
    let id = id(&sandbox);
    assert_eq!(shell(&sandbox, "redis-cli -h cache set colour red"), "OK\n");
    let saved = sandbox.nagaya(&["snapshot", "save", "first", "--json"]).good().json();
    assert_eq!(saved["services"], serde_json::json!(["db", "cache"]));
    assert!(saved["bytes"].as_u64().unwrap() > 1 << 20, "{saved}");
    insert(&sandbox);
    shell(&sandbox, "redis-cli -h cache set colour blue");
    let before = volumes(&docker, &id);
    sandbox.nagaya(&["snapshot", "restore", "first"]).good().says(&["restored first: ", "of db, cache"]);
    assert_eq!((shell(&sandbox, COUNT), shell(&sandbox, COLOUR)), ("1\n".into(), "red\n".into()));
    let after = volumes(&docker, &id);
    assert!(after.len() == 2 && before.iter().all(|old| !after.contains(old)), "{before:?}, then {after:?}");
    // What was restored is data as any other, and no engine needs to run.
    insert(&sandbox);
    sandbox.nagaya(&["restart", "db"]).good();
    assert_eq!(shell(&sandbox, COUNT), "2\n");
    sandbox.nagaya(&["snapshot", "save", "second"]).good();
    down(&docker, &sandbox);
    sandbox.nagaya(&["snapshot", "restore", "first"]).good();
    sandbox.up();
    assert_eq!(shell(&sandbox, COUNT), "1\n");
    sandbox.nagaya(&["snapshot", "restore", "second"]).good();
    assert_eq!((shell(&sandbox, COUNT), volumes(&docker, &id).len()), ("2\n".into(), 2));
    down(&docker, &sandbox);
    sandbox.nagaya(&["down", "--volumes", "--yes"]).good();
    assert_eq!(volumes(&docker, &id), [""; 0]);
    sandbox.nagaya(&["snapshot", "restore", "first"]).good();
    sandbox.up();
    assert_eq!(shell(&sandbox, COUNT), "1\n", "a snapshot outlives what it was made of");
}

#[test]
fn a_stateful_container_keeps_what_no_volume_is_named_for() {
    let docker = Docker::shared();
    let manifest = format!(
        "name: nameless
services:
  db:
    build: {{ context: ., dockerfile_inline: \"FROM {IMAGE}\\nVOLUME /var/lib/db\\n\" }}
    volumes: ['/usr:/usr:ro', '/etc/alternatives:/etc/alternatives:ro', /anonymous]
    command: /usr/bin/sleep infinity
    stop_signal: SIGKILL
    stateful: true
"
    );
    let sandbox = boxed(&docker, Account::Own, &manifest);
    sandbox.up();
    let id = id(&sandbox);
    inside(&sandbox, "db", "echo kept > /var/lib/db/file; echo kept > /anonymous/file");
    let kept = || inside(&sandbox, "db", "cat /var/lib/db/file /anonymous/file");
    sandbox.nagaya(&["snapshot", "save", "first"]).good();
    sandbox.nagaya(&["restart", "db"]).good();
    assert_eq!(kept(), "kept\nkept\n");
    down(&docker, &sandbox);
    sandbox.up();
    assert_eq!(kept(), "kept\nkept\n");
    inside(&sandbox, "db", "echo other > /var/lib/db/file; echo other > /anonymous/file");
    sandbox.nagaya(&["snapshot", "restore", "first"]).good();
    assert_eq!(kept(), "other\nkept\n", "no snapshot has what the image alone knows of");
    down(&docker, &sandbox);
    sandbox.nagaya(&["down", "--volumes", "--yes"]).good();
    assert_eq!(volumes(&docker, &id), [""; 0]);
}

#[test]
fn what_cannot_be_restored_leaves_volumes_as_they_were() {
    let docker = stocked();
    let manifest = BACKING.replace("VERSION", &postgres().1).replace("WHERE", "container");
    let sandbox = boxed(&docker, Account::unprivileged(), &manifest);
    sandbox.write("seed.sql", "CREATE TABLE items (name text);\n");
    sandbox.up();
    let id = id(&sandbox);
    sandbox.nagaya(&["snapshot", "save", "empty"]).good();
    sandbox.nagaya(&["snapshot", "save", "spoilt"]).good();
    insert(&sandbox);
    let before = volumes(&docker, &id);
    let archive = sandbox.home().join("snapshots/spoilt/db/db-data.tar");
    let whole = fs::read(&archive).unwrap();
    // To an engine the beginning of an archive is a whole one where it ends between two files.
    for length in [1024, whole.len() / 2 + 100] {
        fs::write(&archive, &whole[..length]).unwrap();
        let restored = sandbox.nagaya(&["snapshot", "restore", "spoilt"]).ended(1);
        restored.says(&["snapshots/spoilt/db: the archives there have "]);
        assert_eq!((shell(&sandbox, COUNT), volumes(&docker, &id)), ("1\n".into(), before.clone()));
    }
    note_length(&sandbox);
    sandbox.nagaya(&["snapshot", "restore", "spoilt"]).ended(1).says(&["the engine of containers: "]);
    assert_eq!((shell(&sandbox, COUNT), volumes(&docker, &id)), ("1\n".into(), before.clone()));
    // One with which the database does not become ready.
    let stranger = sandbox.home().join("snapshots/spoilt/db");
    finish(std::process::Command::new("sh").args(["-ec", SPOILT, "sh"]).arg(&stranger)).good();
    note_length(&sandbox);
    sandbox.nagaya(&["snapshot", "restore", "spoilt"]).ended(1).says(&["the data is as it was before"]);
    assert_eq!((shell(&sandbox, COUNT), volumes(&docker, &id)), ("1\n".into(), before));
    sandbox.write("nagaya.yaml", manifest.replace("container", "host"));
    sandbox.nagaya(&["down"]).good();
    sandbox
        .nagaya(&["snapshot", "restore", "empty"])
        .ended(1)
        .says(&["as a container kept it, and it is a process now"]);
    sandbox.write("nagaya.yaml", manifest);
    sandbox.nagaya(&["down", "--volumes", "--yes"]).good();
    sandbox.empties();
}

/// A folder of data that says it is of another version.
const SPOILT: &str = "cd \"$1\"; rm db-data.tar; mkdir -p volume/pgdata; echo 99 > volume/pgdata/PG_VERSION
tar -cf db-data.tar volume; rm -r volume";

/// Has the snapshot know its archive as it is now.
fn note_length(sandbox: &Sandbox) {
    let folder = sandbox.home().join("snapshots/spoilt");
    let mut note: serde_json::Value = serde_json::from_slice(&fs::read(folder.join("snapshot.json")).unwrap()).unwrap();
    assert_eq!(note["parts"][0]["service"], "db");
    note["parts"][0]["bytes"] = fs::metadata(folder.join("db/db-data.tar")).unwrap().len().into();
    fs::write(folder.join("snapshot.json"), note.to_string()).unwrap();
}

/// A manifest of services, each with its volumes.
fn keeping(services: &[(&str, &str)]) -> String {
    let service = |(name, volumes): &(&str, &str)| {
        format!(
            "  {name}: {{ image: '{IMAGE}', stop_signal: SIGKILL, command: /usr/bin/sleep infinity, snapshot: true,
             volumes: ['/usr:/usr:ro', {volumes}] }}\n"
        )
    };
    let services: String = services.iter().map(service).collect();
    format!("name: keeping\nservices:\n{services}volumes: {{ data: {{}}, more: {{}} }}\n")
}

#[track_caller]
fn inside(sandbox: &Sandbox, service: &str, line: &str) -> String {
    sandbox.nagaya(&["exec", service, "--", "/usr/bin/bash", "-ec", line]).good().out
}

#[test]
fn a_volume_that_was_restored_is_that_of_all_who_name_it() {
    let docker = Docker::shared();
    let sandbox = boxed(&docker, Account::unprivileged(), &keeping(&[("app", "'data:/data'")]));
    sandbox.up();
    let id = id(&sandbox);
    inside(&sandbox, "app", "echo one > /data/file");
    sandbox.nagaya(&["snapshot", "save", "first"]).good();
    inside(&sandbox, "app", "echo two > /data/file");
    let replaced = volumes(&docker, &id).swap_remove(0);
    // Somebody goes on with what is replaced, which is said.
    let mut holder = docker.client();
    holder.args(["create", "--network", "none", "--volume", &format!("{replaced}:/held"), IMAGE, "/usr/bin/true"]);
    let holder = finish(&mut holder).good().out;
    let said = format!("the volume {replaced} is in use no more");
    sandbox.nagaya(&["snapshot", "restore", "first"]).good().says(&[&said]);
    finish(docker.client().args(["rm", holder.trim()])).good();
    assert_eq!(inside(&sandbox, "app", "cat /data/file"), "one\n");
    down(&docker, &sandbox);
    // It is called otherwise, and another reads along.
    sandbox.write("nagaya.yaml", keeping(&[("web", "'data:/data'"), ("reader", "'data:/data:ro'")]));
    sandbox.up();
    assert_eq!(["web", "reader"].map(|name| inside(&sandbox, name, "cat /data/file")), ["one\n", "one\n"]);
    // What both use is the data of neither: the one would read on in what was replaced.
    let left_out = ["web", "reader"].map(|it| format!("{it} is left out: its container keeps nothing in a volume"));
    sandbox.nagaya(&["snapshot", "save", "second"]).ended(1).says(&[&left_out[0], &left_out[1]]);
    down(&docker, &sandbox);
    sandbox.nagaya(&["down", "--volumes", "--yes"]).good();
    assert_eq!(volumes(&docker, &id), [""; 0]);
}

#[test]
fn volumes_of_which_a_snapshot_knows_nothing_stay_and_are_never_mistaken() {
    let docker = Docker::shared();
    let sandbox = boxed(&docker, Account::unprivileged(), &keeping(&[("app", "'data:/data'")]));
    sandbox.up();
    let (id, home) = (id(&sandbox), sandbox.home());
    inside(&sandbox, "app", "echo one > /data/file");
    sandbox.nagaya(&["snapshot", "save", "early"]).good();
    down(&docker, &sandbox);
    sandbox.write("nagaya.yaml", keeping(&[("app", "'data:/data', 'more:/more'")]));
    sandbox.up();
    sandbox.nagaya(&["snapshot", "save", "late"]).good();
    sandbox.nagaya(&["snapshot", "restore", "late"]).good();
    let files = || inside(&sandbox, "app", "cat /data/file /more/file");
    inside(&sandbox, "app", "echo two > /data/file; echo later > /more/file");
    sandbox.nagaya(&["snapshot", "restore", "early"]).good();
    assert_eq!(files(), "one\nlater\n");
    let before = volumes(&docker, &id);
    assert_eq!(before.len(), 2, "{before:?}");
    // What tells of them cannot be read: nobody is given others, and none goes.
    let note = home.join("data/.volumes/volumes.json");
    let text = fs::read(&note).unwrap();
    fs::write(&note, "half").unwrap();
    sandbox.nagaya(&["snapshot", "restore", "late"]).ended(1).says(&["data/.volumes: "]);
    down(&docker, &sandbox);
    sandbox.nagaya(&["up", "-d"]).good();
    until("app has failed", || sandbox.row("app")["state"] == "failed");
    tells(&sandbox, "app", &["which volumes are in use is not known", "data/.volumes"]);
    down(&docker, &sandbox);
    assert_eq!(volumes(&docker, &id), before);
    fs::write(&note, text).unwrap();
    sandbox.up();
    assert_eq!(files(), "one\nlater\n");
    down(&docker, &sandbox);
    sandbox.nagaya(&["down", "--volumes", "--yes"]).good();
}
