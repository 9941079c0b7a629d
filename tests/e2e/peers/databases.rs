//! Redis and PostgreSQL in pods, by their own clients.

use crate::support::sandbox::{Account, Sandbox};

/// PostgreSQL is this machine's, and its clients get the password by what the template binds into them.
const MANIFEST: &str = r#"
name: databases
services:
  shell: { command: [sleep, infinity], depends_on: [redis, db] }
  redis: { command: [redis-server, --save, "", --protected-mode, "no"], ports: { tcp: 6379 } }
  db: { template: { name: postgres, run: host } }
"#;

#[test]
fn redis_and_postgres_answer_their_own_clients() {
    for account in Account::all() {
        let sandbox = Sandbox::of(account, MANIFEST);
        sandbox.up();
        let script = r#"
            [ "$(redis-cli -h redis ping)" = PONG ]
            [ "$(seq 10000 | sed 's/.*/SET key& &/' | redis-cli -h redis --pipe | tail -1)" = 'errors: 0, replies: 10000' ]
            [ "$(redis-cli -h redis get key777)" = 777 ]
            redis-cli -h redis subscribe news >heard & listener=$!
            until [ "$(redis-cli -h redis publish news hello)" = 1 ]; do :; done
            until grep -q hello heard; do :; done
            kill $listener
            sql() { psql -h db -qtA -v ON_ERROR_STOP=1 "$@"; }
            sql -c 'create table t (n int)'
            seq 100000 | sql -c 'copy t from stdin'
            [ "$(sql -c 'select sum(n) from t')" = 5000050000 ]
            [ "$(sql -c 'copy t to stdout' | wc -l)" = 100000 ]
            echo fine
        "#;
        let run = sandbox.nagaya(&["exec", "shell", "--", "sh", "-ec", script]).good();
        assert_eq!(run.out, "fine\n", "{}", run.err);
    }
}
