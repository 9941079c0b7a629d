//! Backing services from templates, by the host's own programs.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::sandbox::{Account, Sandbox, signal, until};

/// A service that can call what it depends on.
fn workspace(account: Account, network: &str, services: &str, needs: &str) -> Sandbox {
    let app = format!("  app: {{ command: [sleep, infinity], depends_on: [{needs}] }}\n");
    let sandbox = Sandbox::of(account, &format!("name: backing\nnetwork: {network}\nservices:\n{services}{app}"));
    // Root's databases run as accounts of their own, which have to read the seeds.
    for folder in [sandbox.path(""), sandbox.path("..")] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
    sandbox
}

/// What a line of a shell says in the service's place.
#[track_caller]
fn shell(sandbox: &Sandbox, line: &str) -> String {
    sandbox.nagaya(&["exec", "app", "--", "sh", "-ec", line]).good().out
}

const DB: &str = "  db: { template: { name: postgres, seed: [seed.sql], options: { database: shop } } }\n";
const COUNT: &str = "psql -qtA \"$DATABASE_URL\" -c 'SELECT count(*) FROM items'";

#[test]
fn a_database_is_made_filled_once_and_kept() {
    for account in Account::all() {
        for network in ["pod", "env"] {
            let sandbox = workspace(account, network, DB, "db");
            sandbox.write("seed.sql", "CREATE TABLE items (name text);\nINSERT INTO items VALUES ('it''s one');\n");
            sandbox.up();
            assert_eq!(shell(&sandbox, COUNT), "1\n");
            assert_eq!(shell(&sandbox, "echo $PGDATABASE $PGUSER $DB_PGDATABASE"), "shop app shop\n");
            assert_eq!(
                shell(&sandbox, "PGPASSWORD=wrong psql -qtA -c 'SELECT 1' 2>&1 || echo refused").lines().last(),
                Some("refused")
            );
            shell(&sandbox, "psql -q \"$DATABASE_URL\" -c \"INSERT INTO items VALUES ('two')\"");
            sandbox.nagaya(&["restart", "db"]).good();
            sandbox.nagaya(&["wait", "db", "--for", "ready"]).good();
            assert_eq!(shell(&sandbox, COUNT), "2\n");
            sandbox.nagaya(&["down"]).good();
            sandbox.up();
            assert_eq!(shell(&sandbox, COUNT), "2\n");
            assert_eq!(sandbox.row("db")["kind"], "process");
            sandbox.nagaya(&["down"]).good();
            sandbox.empties();
        }
    }
}

#[test]
fn half_a_database_never_counts() {
    for account in Account::all() {
        let sandbox = workspace(account, "pod", DB, "db");
        sandbox.write("seed.sql", "CREATE TABLE items (name text);\nSELECT pg_sleep(600);\n");
        sandbox.nagaya(&["up", "-d"]).good();
        let log = || sandbox.nagaya(&["logs", "db"]).good().out;
        until("it is being filled", || log().contains("seed: "));
        signal("KILL", sandbox.pid("db"));
        sandbox.nagaya(&["down"]).good();
        sandbox.empties();
        sandbox.write("seed.sql", "CREATE TABLE items (name text);\n");
        sandbox.up();
        assert_eq!(shell(&sandbox, COUNT), "0\n");
        sandbox.nagaya(&["down"]).good();
    }
}

#[test]
fn a_database_is_ready_when_it_takes_callers_in_also_after_a_crash() {
    let services = "  db: { template: postgres }\n";
    let app = "  asks: { command: 'psql -qtA \"$DATABASE_URL\" -c \"SELECT 1\"', depends_on: [db] }\n";
    let sandbox = workspace(Account::unprivileged(), "pod", &format!("{services}{app}"), "db");
    for _ in 0..3 {
        sandbox.up();
        until("it has asked", || sandbox.row("asks")["exit_code"].is_i64());
        assert_eq!(sandbox.row("asks")["exit_code"], 0, "{}", sandbox.nagaya(&["logs", "asks", "db"]).out);
        signal("KILL", sandbox.engine()["pid"].as_u64().unwrap().try_into().unwrap());
    }
}

#[test]
fn mariadb_is_ready_when_it_takes_callers_in_also_after_a_crash_and_has_what_was_committed() {
    // Enough at once that recovery has something to do, as nothing of it is in the tables' own files when it is killed.
    let query =
        "CREATE TABLE IF NOT EXISTS t (a INT); INSERT INTO t SELECT seq FROM seq_1_to_50000; SELECT count(*) FROM t";
    let services = format!(
        "  db: {{ template: mariadb }}\n  \
         asks: {{ command: 'mariadb --no-defaults -h db -u app -papp app -Nse \"{query}\"', depends_on: [db] }}\n"
    );
    for account in Account::all() {
        let sandbox = workspace(account, "pod", &services, "db");
        for (round, dies) in ["database", "engine", "database", "none"].into_iter().enumerate() {
            sandbox.up();
            until("it has asked", || sandbox.row("asks")["exit_code"].is_i64());
            let log = sandbox.nagaya(&["logs", "asks", "db"]).out;
            assert_eq!(sandbox.row("asks")["exit_code"], 0, "{log}");
            let last = sandbox.nagaya(&["logs", "asks", "--tail", "1"]).good().out;
            assert_eq!(last.trim(), (50_000 * (round + 1)).to_string(), "{log}");
            match dies {
                "database" => {
                    signal("KILL", sandbox.pid("db"));
                    until("it is seen", || sandbox.row("db")["state"] == "failed");
                    sandbox.nagaya(&["down"]).good();
                }
                "engine" => signal("KILL", sandbox.engine()["pid"].as_u64().unwrap().try_into().unwrap()),
                _ => {
                    sandbox.nagaya(&["down"]).good();
                    sandbox.empties();
                }
            }
        }
    }
}

/// Data keeps the password that it was made with. What is wrong is told by the database itself, where one looks.
#[test]
fn data_of_another_password_is_told() {
    for (template, refusal) in [("postgres", "password authentication failed"), ("mariadb", "Access denied")] {
        let services = |password: &str| {
            format!("  db: {{ template: {{ name: {template}, options: {{ password: {password} }} }} }}\n")
        };
        let sandbox = workspace(Account::unprivileged(), "pod", &services("first"), "db");
        sandbox.up();
        sandbox.nagaya(&["down"]).good();
        let manifest = fs::read_to_string(sandbox.path("nagaya.yaml")).unwrap();
        sandbox.write("nagaya.yaml", manifest.replace("first", "second"));
        sandbox.nagaya(&["up", "-d"]).good();
        let why = || sandbox.nagaya(&["why", "db"]).out;
        until("it is told", || why().contains(refusal));
        let told = why();
        assert!(told.contains("logs in as dependents do"), "{told}");
        assert!(
            told.contains(
                "its data has another user or password (give these, or remove all data: nagaya down --volumes)"
            ),
            "{told}"
        );
        assert!(!told.contains("second"), "a password is nobody's to read: {told}");
        sandbox.nagaya(&["down"]).good();
        sandbox.write("nagaya.yaml", &manifest);
        sandbox.up();
        sandbox.nagaya(&["down"]).good();
    }
}

#[test]
fn the_servers_own_account_is_no_users() {
    let sandbox = workspace(
        Account::unprivileged(),
        "pod",
        "  db: { template: { name: mariadb, options: { user: root } } }\n",
        "db",
    );
    sandbox
        .nagaya(&["up", "-d", "--wait"])
        .ended(1)
        .says(&["root is the account of the server itself", "another `user`"]);
    sandbox.nagaya(&["down"]).good();
}

#[test]
fn what_runs_at_its_times_is_there_once() {
    let sandbox = Sandbox::new("services:\n  cron: { command: 'true', schedule: '@yearly' }\n");
    sandbox.nagaya(&["up", "-d"]).good();
    sandbox.nagaya(&["scale", "cron=2"]).ended(2).says(&["cron runs at its times, one at once"]);
    sandbox.nagaya(&["down"]).good();
}

#[test]
fn a_bad_seed_is_told_and_leaves_no_data() {
    let sandbox = workspace(Account::unprivileged(), "pod", DB, "db");
    sandbox.write("seed.sql", "SELECT nonsense;\n");
    let run = sandbox.nagaya(&["up", "-d", "--wait"]).ended(1);
    run.says(&["db", "nonsense"]);
    sandbox.nagaya(&["down"]).good();
    sandbox.empties();
    sandbox.write("seed.sql", "CREATE TABLE items (name text);\n");
    sandbox.up();
    assert_eq!(shell(&sandbox, COUNT), "0\n");
}

/// Says one line to an address and prints the first that comes back.
const ASK: &str = "import os, socket, sys
host, port = sys.argv[1].rstrip('/').rsplit('/', 1)[-1].rsplit('@', 1)[-1].rsplit(':', 1)
server = socket.create_connection((host, int(port)), 5)
server.sendall(sys.argv[2].encode().decode('unicode_escape').encode('latin-1'))
print(server.recv(64).split(b'\\r')[0])
";

#[test]
fn each_template_runs_by_the_hosts_program() {
    let services = "  redis: { template: redis }
  nats: { template: nats }
  mosquitto: { template: mosquitto }
  memcached: { template: memcached }
  mariadb: { template: mariadb }
  rabbitmq: { template: rabbitmq }
  prometheus: { template: prometheus }
";
    for account in Account::all() {
        let sandbox =
            workspace(account, "pod", services, "redis, nats, mosquitto, memcached, mariadb, rabbitmq, prometheus");
        sandbox.write("ask.py", ASK);
        sandbox.up();
        // By their own names they are found as their templates have it, with what comes before the address.
        let variables = sandbox.nagaya(&["env", "app"]).good().out;
        for url in ["REDIS_URL=redis://", "NATS_URL=nats://", "RABBITMQ_URL=amqp://"] {
            assert!(variables.contains(url), "{url} in {variables}");
        }
        let ask = |variable: &str, words: &str| shell(&sandbox, &format!("python3 ask.py \"${variable}\" '{words}'"));
        assert_eq!(ask("REDIS_URL", "PING\\r\\n"), "b'+PONG'\n");
        assert!(ask("NATS_URL", "PING\\r\\n").starts_with("b'INFO {"));
        assert!(ask("MEMCACHED_URL", "version\\r\\n").starts_with("b'VERSION "));
        // CONNECT with a clean session, and the answer that it is accepted.
        assert_eq!(ask("MQTT_URL", "\\x10\\x0c\\x00\\x04MQTT\\x04\\x02\\x00\\x3c\\x00\\x00"), "b' \\x02\\x00\\x00'\n");
        // The header of AMQP 0-9-1, and the first method of its answer, Start.
        assert!(ask("AMQP_URL", "AMQP\\x00\\x00\\x09\\x01").starts_with("b'\\x01\\x00\\x00"));
        assert_eq!(shell(&sandbox, "curl -sSf $PROMETHEUS_URL/-/ready"), "Prometheus Server is Ready.\n");
        let query = "mariadb --no-defaults -h mariadb -u app -papp app -Nse 'CREATE TABLE t (a INT); SHOW TABLES'";
        assert_eq!(shell(&sandbox, query), "t\n");
        sandbox.nagaya(&["down"]).good();
        sandbox.empties();
    }
}

#[test]
fn what_several_give_is_nobodys() {
    let services = "  one: { template: redis }\n  two: { template: redis }\n";
    let sandbox = workspace(Account::Own, "pod", services, "one, two");
    sandbox.up();
    let variables = "echo \"${REDIS_URL-none} $ONE_REDIS_URL $TWO_REDIS_URL\"";
    assert_eq!(shell(&sandbox, variables), "none redis://one:6379 redis://two:6379\n");
    sandbox.nagaya(&["down"]).good();
}

#[test]
fn what_cannot_be_had_is_said() {
    let cases = [
        ("postgers", "did you mean `postgres`?"),
        ("{ name: postgres, run: host, version: '7' }", "`postgres` is not on this machine in version 7"),
        ("{ name: postgres, run: host, version: '7' }", "there is "),
        ("{ name: redis, options: { size: 1 } }", "the template has no option `size`"),
        ("{ name: postgres, options: { databse: x } }", "did you mean `database`?"),
        ("{ version: '16' }", "a template has a `name`"),
    ];
    for (written, words) in cases {
        let sandbox = Sandbox::new(&format!("services:\n  db: {{ template: {written} }}\n"));
        let run = sandbox.nagaya(&["check"]).ended(3);
        assert!(run.out.contains(words) || run.err.contains(words), "{written}: {run:?}");
    }
}

#[test]
fn templates_of_ones_own_come_first() {
    let sandbox = Sandbox::new("templates: mine\nservices:\n  db: { template: redis, environment: { A: own } }\n");
    let mine = "about: mine
host: { program: sleep, service: { command: ['${program}', infinity] } }
service: { environment: { A: theirs, B: theirs } }
";
    sandbox.write("mine/redis.yaml", mine);
    let config = sandbox.nagaya(&["config", "--json"]).good().json();
    let db = &config["services"]["db"];
    assert!(db["command"].to_string().contains("/sleep"), "{db}");
    assert_eq!((&db["environment"]["A"], &db["environment"]["B"]), (&"own".into(), &"theirs".into()));
}

#[test]
fn a_template_is_added_to_the_manifest() {
    let sandbox = Sandbox::new("# ours\nservices:\n  web: { command: run } # first\n");
    let list = sandbox.nagaya(&["add"]).good().out;
    assert!(list.contains("postgres     PostgreSQL, a relational database"), "{list}");
    sandbox.write("kit/redis.yaml", "about: Ours, for all\nservice: { command: run }\n");
    sandbox.write("kit/no.name.yaml", "service: { command: run }\n");
    sandbox.write("base.yaml", "services: {}\n");
    sandbox.write("own.yaml", "templates: kit\n");
    let own = sandbox.nagaya(&["-f", "base.yaml", "-f", "own.yaml", "add"]).good().out;
    assert!(!own.contains("no.name"), "{own}");
    assert!(own.starts_with("redis        Ours, for all (") && own.matches("redis ").count() == 1, "{own}");
    sandbox.nagaya(&["add", "redis", "--as", "cache", "--yes"]).good();
    let text = fs::read_to_string(sandbox.path("nagaya.yaml")).unwrap();
    assert_eq!(text, "# ours\nservices:\n  web: { command: run } # first\n  cache:\n    template: redis\n");
    sandbox.nagaya(&["add", "redis", "--as", "cache", "--yes"]).ended(2).says(&["already", "--as NAME"]);
    sandbox.nagaya(&["add", "nosql", "--yes"]).ended(3).says(&["there is no template `nosql`"]);
    // What was wrong before is no reason against it, and may be mended by it.
    let broken = "services:\n  web: { command: run, port: 80, depends_on: [db, queue] }\n";
    sandbox.write("nagaya.yaml", broken);
    let run = sandbox.nagaya(&["add", "postgres", "--as", "db", "--yes"]).good();
    assert!(
        run.err.contains("the manifest has 2 problems that were there before: `nagaya check` shows more"),
        "{run:?}"
    );
    assert!(fs::read_to_string(sandbox.path("nagaya.yaml")).unwrap().ends_with("  db:\n    template: postgres\n"));
    let refused = sandbox.nagaya(&["add", "nosql", "--yes"]).ended(3).says(&["there is no template `nosql`"]);
    assert!(!refused.err.contains("queue"), "only what is new: {refused:?}");
}
