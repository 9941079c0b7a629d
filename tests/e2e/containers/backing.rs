//! Templates as containers, beside the same ones as processes: images made of this machine's own servers.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use super::Docker;
use super::services::{boxed, down};
use crate::support::sandbox::{Account, Sandbox, finish, until};

/// Does what the official image of PostgreSQL does: makes a database while nobody but itself can call, fills it, serves.
const POSTGRES: &str = r#"#!/bin/bash
set -e
if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA"
    chown -R 999:999 /var/lib/postgresql
    exec setpriv --reuid=999 --regid=999 --clear-groups "$0" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    echo "$POSTGRES_PASSWORD" > /tmp/secret
    initdb -D "$PGDATA" -U "$POSTGRES_USER" -A scram-sha-256 --pwfile=/tmp/secret -E UTF8 --locale=C
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    export PGPASSWORD=$POSTGRES_PASSWORD
    pg_ctl -D "$PGDATA" -s -w -o "-c listen_addresses= -k /tmp" start
    createdb -h /tmp -U "$POSTGRES_USER" "$POSTGRES_DB"
    for seed in /docker-entrypoint-initdb.d/*; do
        [ -e "$seed" ] || continue
        psql -q -v ON_ERROR_STOP=1 -h /tmp -U "$POSTGRES_USER" -d "$POSTGRES_DB" -f "$seed"
    done
    pg_ctl -D "$PGDATA" -s -m fast stop
fi
exec postgres -D "$PGDATA" -c "listen_addresses=*" -k /tmp
"#;

/// The official image of Redis takes in callers from elsewhere.
const REDIS: &str = "#!/bin/sh\nexec \"$@\" --protected-mode no\n";

/// Makes a folder of programs with the libraries that they need, and imports it as an image: folder, name, PATH,
/// docker's own words, programs and whole folders.
const IMPORT: &str = r#"
root=$1 image=$2 path=$3 docker=$4
shift 4
mkdir -p "$root"/usr/bin "$root"/usr/sbin "$root"/usr/lib "$root"/usr/lib64 "$root"/etc "$root"/tmp "$root"/proc "$root"/sys "$root"/dev
chmod 1777 "$root/tmp"
for name in bin sbin lib lib64; do ln -sfn usr/$name "$root/$name"; done
take() {
    if [ -e "$root$1" ]; then return; fi
    mkdir -p "$root$(dirname "$1")"
    cp -aL "$1" "$root$1"
}
for thing; do
    if [ -d "$thing" ]; then
        mkdir -p "$root$thing"
        tar -C "$thing" --exclude=bitcode --exclude='llvmjit*' -c . | tar -C "$root$thing" -x
    else
        take "$thing"
    fi
done
find "$root" -type f \( -perm -u+x -o -name '*.so*' \) -exec ldd {} + 2>/dev/null | grep -o '/[^ ]*\.so[^ ]*' | sort -u |
    while read -r library; do if [ -e "$library" ]; then take "$library"; fi; done
printf 'root:x:0:0::/root:/bin/sh\npostgres:x:999:999::/tmp:/bin/sh\n' > "$root/etc/passwd"
echo 'hosts: files dns' > "$root/etc/nsswitch.conf"
tar -C "$root" -c . | $docker import --change "ENV PATH=$path" --change 'ENTRYPOINT ["/entry.sh"]' - "$image"
"#;

/// This machine's PostgreSQL.
pub(in crate::e2e) fn postgres() -> (String, String) {
    let version = fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is here: `tests/run` installs it");
    let version = version.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).max().unwrap();
    (format!("/usr/lib/postgresql/{version}"), version)
}

pub(super) fn program(name: &str) -> String {
    finish(Command::new("sh").args(["-c", &format!("command -v {name}")])).good().out.trim().to_owned()
}

pub(super) fn import(docker: &Docker, image: &str, path: &str, entry: &str, things: &[String]) {
    let root = docker.folder.path().join(image.replace(':', "-"));
    if root.exists() {
        return;
    }
    fs::create_dir_all(&root).unwrap();
    fs::write(root.join("entry.sh"), entry).unwrap();
    fs::set_permissions(root.join("entry.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    let client = docker.client();
    let words: Vec<String> = std::iter::once(client.get_program())
        .chain(client.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let mut command = Command::new("bash");
    command.args(["-ec", IMPORT, "import"]).arg(&root).args([image, path, &words.join(" ")]).args(things);
    finish(&mut command).good();
}

/// A daemon that has images of what runs here, by the names of the official ones.
pub(in crate::e2e) fn stocked() -> Arc<Docker> {
    static TURN: Mutex<()> = Mutex::new(());
    // Whoever comes while an image is being made has none yet.
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let docker = Docker::shared();
    let (folder, version) = postgres();
    let tools = ["bash", "sh", "id", "mkdir", "chown", "setpriv", "cat", "sleep"].map(program);
    let share = format!("/usr/share/postgresql/{version}");
    // Clients in Java name their zone.
    let zones = "/usr/share/zoneinfo".to_owned();
    let things: Vec<String> = tools.iter().cloned().chain([folder.clone(), share, zones]).collect();
    let path = format!("{folder}/bin:/usr/bin");
    import(&docker, &format!("postgres:{version}"), &path, POSTGRES, &things);
    import(&docker, "redis:7", "/usr/bin", REDIS, &[program("redis-server"), program("sh")]);
    docker
}

pub(super) const BACKING: &str = "
name: backing
services:
  db: { template: { name: postgres, version: 'VERSION', run: WHERE, seed: [seed.sql], options: { database: shop } } }
  cache: { template: { name: redis, run: WHERE } }
  app: { command: [sleep, infinity], depends_on: [db, cache] }
";

#[track_caller]
pub(super) fn shell(sandbox: &Sandbox, line: &str) -> String {
    sandbox.nagaya(&["exec", "app", "--", "sh", "-ec", line]).good().out
}

#[test]
fn a_container_tells_of_data_of_another_password() {
    let docker = stocked();
    let (_, version) = postgres();
    let manifest = BACKING.replace("VERSION", &version).replace("WHERE", "container");
    let sandbox = boxed(&docker, Account::unprivileged(), &manifest.replace(", seed: [seed.sql]", ""));
    sandbox.up();
    sandbox.nagaya(&["down"]).good();
    let text = fs::read_to_string(sandbox.path("nagaya.yaml")).unwrap();
    sandbox.write("nagaya.yaml", text.replace("database: shop", "database: shop, password: second"));
    sandbox.nagaya(&["up", "-d", "db"]).good();
    let why = || sandbox.nagaya(&["why", "db"]).out;
    until("it is told", || why().contains("password authentication failed"));
    assert!(why().contains("its data has another user or password"), "{}", why());
    sandbox.write("nagaya.yaml", &text);
    sandbox.up();
    down(&docker, &sandbox);
    sandbox.nagaya(&["down", "--volumes", "--yes"]).good();
}

#[test]
fn a_template_is_the_same_as_a_process_and_as_a_container() {
    let docker = stocked();
    let (_, version) = postgres();
    let mut told = Vec::new();
    for place in ["host", "container"] {
        println!("{place}");
        let manifest = BACKING.replace("VERSION", &version).replace("WHERE", place);
        let sandbox = boxed(&docker, Account::unprivileged(), &manifest);
        sandbox.write("seed.sql", "CREATE TABLE items (name text);\nINSERT INTO items VALUES ('it''s one');\n");
        sandbox.up();
        let kind = if place == "host" { "process" } else { "container" };
        assert_eq!([&sandbox.row("db")["kind"], &sandbox.row("cache")["kind"]], [kind, kind]);
        let count = "psql -qtA \"$DATABASE_URL\" -c 'SELECT count(*) FROM items'";
        assert_eq!(shell(&sandbox, count), "1\n");
        told.push(shell(&sandbox, "echo $DATABASE_URL $PGHOST $PGPORT $PGUSER $PGDATABASE $DB_PGDATABASE $REDIS_URL"));
        shell(&sandbox, "psql -q \"$DATABASE_URL\" -c \"INSERT INTO items VALUES ('two')\"");
        assert_eq!(shell(&sandbox, "redis-cli -h cache set colour red"), "OK\n");
        sandbox.nagaya(&["restart", "db", "cache"]).good();
        assert_eq!(shell(&sandbox, count), "2\n");
        sandbox.nagaya(&["down"]).good();
        sandbox.up();
        assert_eq!(
            (shell(&sandbox, count), shell(&sandbox, "redis-cli -h cache get colour")),
            ("2\n".into(), "red\n".into())
        );
        let wrong = shell(&sandbox, "PGPASSWORD=wrong psql -qtA -c 'SELECT 1' 2>&1 || echo refused");
        assert_eq!(wrong.lines().last(), Some("refused"), "{wrong}");
        sandbox.nagaya(&["down", "--volumes", "--yes"]).good();
        sandbox.up();
        assert_eq!(shell(&sandbox, count), "1\n", "its data was removed");
        down(&docker, &sandbox);
        sandbox.nagaya(&["down", "--volumes", "--yes"]).good();
    }
    assert_eq!(told[0], told[1]);
}
