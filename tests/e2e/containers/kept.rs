//! Snapshots of what containers keep in volumes.

use std::fs;

use super::Docker;
use super::backing::{BACKING, postgres, shell, stocked};
use super::services::{boxed, down, id};
use crate::support::sandbox::{Account, Sandbox, finish};

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
    // The first half of an archive.
    fs::write(&archive, &whole[..whole.len() / 2 + 100]).unwrap();
    sandbox.nagaya(&["snapshot", "restore", "spoilt"]).ended(1).says(&["the engine of containers: "]);
    assert_eq!((shell(&sandbox, COUNT), volumes(&docker, &id)), ("1\n".into(), before.clone()));
    // One with which the database does not become ready.
    let stranger = sandbox.home().join("snapshots/spoilt/db");
    finish(std::process::Command::new("sh").args(["-ec", SPOILT, "sh"]).arg(&stranger)).good();
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
