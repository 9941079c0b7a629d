//! Every resolver that programs bring along finds the services by all their names, and nothing else by theirs.

use std::fs;
use std::process::Command;
use std::sync::OnceLock;

use super::pods;
use crate::support::sandbox::{Account, Sandbox, finish};

/// What `users` is called in production.
const SPELLINGS: [&str; 11] = [
    "users",
    "USERS",
    "users.",
    "users.pods",
    "users.default",
    "users.default.svc",
    "users.default.svc.cluster.local",
    "users.default.svc.cluster.local.",
    "accounts",
    "accounts.default.svc",
    "users.example.com",
];

/// Prints each name with its addresses of either family.
const C: &str = r#"
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
int main(int count, char **names) {
    for (int i = 1; i < count; i++) {
        struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *all = NULL;
        int error = getaddrinfo(names[i], NULL, &hints, &all);
        printf("%s", names[i]);
        for (struct addrinfo *it = all; it; it = it->ai_next) {
            char host[64];
            getnameinfo(it->ai_addr, it->ai_addrlen, host, sizeof host, NULL, 0, NI_NUMERICHOST);
            printf(" %s", host);
        }
        puts(error ? " -" : "");
    }
}
"#;

const GO: &str = r#"package main
import ("fmt"; "net"; "os"; "strings")
func main() {
	for _, name := range os.Args[1:] {
		found, err := net.LookupHost(name)
		if err != nil { found = []string{"-"} }
		fmt.Println(name, strings.Join(found, " "))
	}
}
"#;

const JAVA: &str = r#"
import java.net.*;
public class Lookup {
    public static void main(String[] names) throws Exception {
        for (String name : names) {
            String found = "";
            try { for (InetAddress it : InetAddress.getAllByName(name)) found += " " + it.getHostAddress(); }
            catch (UnknownHostException error) { found = " -"; }
            System.out.println(name + found);
        }
        InetAddress own = InetAddress.getLocalHost();
        System.out.println("own " + own.getHostName() + " " + own.getHostAddress());
    }
}
"#;

const PYTHON: &str = r#"
import socket, sys
for name in sys.argv[1:]:
    try: found = [it[4][0] for it in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)]
    except socket.gaierror: found = ["-"]
    print(name, *found)
"#;

/// `lookup` asks the C library, `resolve4` c-ares.
const NODE: &str = r#"
const dns = require('dns').promises, [how, ...names] = process.argv.slice(2);
(async () => {
  for (const name of names) {
    const found = how === 'lookup' ? dns.lookup(name, { all: true }).then(all => all.map(it => it.address)) : dns.resolve4(name);
    console.log(name, ...await found.catch(() => ['-']));
  }
})();
"#;

/// The compiled programs: the C library's that is static (musl), and Go's own resolver.
struct Compiled {
    musl: Vec<u8>,
    go: Vec<u8>,
}

fn compiled() -> &'static Compiled {
    static COMPILED: OnceLock<Compiled> = OnceLock::new();
    COMPILED.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("lookup.c"), C).unwrap();
        fs::write(path("lookup.go"), GO).unwrap();
        let mut musl = Command::new("musl-gcc");
        finish(musl.args(["-static", "-o", "musl", "lookup.c"]).current_dir(&folder)).good();
        let mut go = Command::new("go");
        finish(go.args(["build", "-o", "go", "lookup.go"]).env("CGO_ENABLED", "0").current_dir(&folder)).good();
        Compiled { musl: fs::read(path("musl")).unwrap(), go: fs::read(path("go")).unwrap() }
    })
}

/// What a program in the pod of `web` finds, a line for each name.
fn found(sandbox: &Sandbox, program: &str, names: &[&str]) -> Vec<String> {
    sandbox.told("web", &format!("{program} {}", names.join(" "))).lines().map(str::to_owned).collect()
}

fn programs(sandbox: &Sandbox) -> [&'static str; 6] {
    let Compiled { musl, go } = compiled();
    for (name, program) in [
        ("musl", musl.as_slice()),
        ("go", go),
        ("lookup.py", PYTHON.as_bytes()),
        ("lookup.js", NODE.as_bytes()),
        ("Lookup.java", JAVA.as_bytes()),
    ] {
        sandbox.write(name, program);
    }
    ["python3 lookup.py", "./musl", "./go", "node lookup.js lookup", "node lookup.js resolve4", "java Lookup.java"]
}

#[test]
fn every_resolver_finds_a_service_by_every_name() {
    for account in Account::all() {
        let sandbox = pods(account);
        let address = sandbox.told("web", "getent ahostsv4 users | head -1 | cut -d ' ' -f 1");
        let own = sandbox.told("web", "getent ahostsv4 web | head -1 | cut -d ' ' -f 1");
        assert!(address.starts_with("10.66.") && own.starts_with("10.66."), "{address} {own}");
        let expected: Vec<String> = SPELLINGS.iter().map(|name| format!("{name} {address}")).collect();
        for program in programs(&sandbox) {
            let mut lines = found(&sandbox, program, &SPELLINGS);
            if program.starts_with("java") {
                assert_eq!(lines.pop(), Some(format!("own web {own}")));
            }
            assert_eq!(lines, expected, "{program}");
        }
        for name in SPELLINGS {
            let line = sandbox.told("web", &format!("getent hosts {name}"));
            assert_eq!(line.split_whitespace().next(), Some(address.as_str()), "{line}");
        }
        // The name is enough: nobody declared that web calls users.
        assert_eq!(sandbox.dial("web", "accounts", 8080), "connected");
    }
}

#[test]
fn every_resolver_learns_that_a_name_is_nobodys() {
    let sandbox = pods(Account::unprivileged());
    let nobodys = ["nobody.pods", "users.other.svc.cluster.local", "nobody.default.svc.cluster.local"];
    let expected: Vec<String> = nobodys.iter().map(|name| format!("{name} -")).collect();
    for program in programs(&sandbox) {
        let lines = found(&sandbox, program, &nobodys);
        assert_eq!(lines[..nobodys.len()], expected, "{program}");
    }
    sandbox.inside("web", "getent hosts nobody.pods").ended(2);
}

#[test]
fn other_records_of_a_service_are_empty_and_its_ports_have_theirs() {
    for account in Account::all() {
        let sandbox = pods(account);
        let status = |words: &str| {
            let out = sandbox.told("web", &format!("dig +noall +comments +answer {words}"));
            let status = out.split("status: ").nth(1).unwrap_or_else(|| panic!("{out}")).split(',').next().unwrap();
            (status.to_owned(), out.lines().filter(|line| !line.starts_with(';') && !line.is_empty()).count())
        };
        // musl takes NXDOMAIN for one family as the end of the whole look-up.
        assert_eq!(status("AAAA users"), ("NOERROR".into(), 0));
        assert_eq!(status("AAAA users.default.svc.cluster.local"), ("NOERROR".into(), 0));
        assert_eq!(status("A users"), ("NOERROR".into(), 1));
        assert_eq!(status("A users +tcp"), ("NOERROR".into(), 1));
        assert_eq!(status("A nobody.default.svc.cluster.local").0, "NXDOMAIN");
        let port = sandbox.told("web", "dig +short SRV _http._tcp.users");
        assert_eq!(port, "0 100 8080 users.default.svc.cluster.local.");
        let address = sandbox.told("web", "dig +short users");
        assert_eq!(sandbox.told("web", &format!("dig +short -x {address}")), "users.default.svc.cluster.local.");
    }
}
