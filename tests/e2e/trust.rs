//! The authority in the stores of this machine, and those who go by them.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::traffic::HTTP1;
use crate::support::sandbox::{Account, Run, Sandbox, binary, finish};

const MANIFEST: &str = "name: trusted\nservices:\n  web: { command: [python3, http1.py], ports: { http: 80 } }\n";

fn trusted(account: Account) -> Sandbox {
    let sandbox = Sandbox::of(account, MANIFEST);
    sandbox.write("http1.py", HTTP1);
    sandbox.up();
    sandbox
}

/// The row of a store in what `trust --json` printed.
fn store<'a>(answer: &'a Value, kind: &str) -> &'a Value {
    let rows = answer["stores"].as_array().unwrap();
    rows.iter().find(|row| row["store"] == kind).unwrap_or_else(|| panic!("no {kind} in {answer}"))
}

/// What a page says to a browser that trusts what its user does.
fn browse(sandbox: &Sandbox, path: &str) -> Run {
    let url = format!("https://web.trusted.localhost:{}{path}", sandbox.front_door());
    let mut browser = sandbox.command("chromium");
    finish(browser.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--dump-dom", &url]))
}

#[test]
fn a_browser_trusts_what_trust_has_put_in_its_store() {
    for account in Account::all() {
        let sandbox = trusted(account);
        assert!(!browse(&sandbox, "/before").out.contains("/before"), "trusted without a reason");
        let answer = sandbox.nagaya(&["trust", "--store", "nss", "--json"]).good().json();
        assert_eq!(store(&answer, "nss")["status"], "done", "{answer}");
        let page = browse(&sandbox, "/after");
        assert!(page.out.contains("\"path\": \"/after\""), "{page:?}");
        let again = sandbox.nagaya(&["trust", "--store", "nss", "--json"]).good().json();
        assert_eq!(store(&again, "nss")["status"], "already");
        // Somebody else's certificate stays when ours goes.
        sandbox.write(
            "other.sh",
            "openssl req -x509 -newkey rsa:2048 -nodes -keyout k -out other.pem -subj /CN=other 2>/dev/null\n\
             certutil -A -d sql:$HOME/.pki/nssdb -t C,, -n other -i other.pem\n",
        );
        finish(sandbox.command("sh").args(["-e", "other.sh"])).good();
        let gone = sandbox.nagaya(&["trust", "--uninstall", "--store", "nss", "--json"]).good().json();
        assert_eq!(store(&gone, "nss")["status"], "done");
        let left = finish(sandbox.command("sh").args(["-c", "certutil -L -d sql:$HOME/.pki/nssdb"])).good().out;
        assert!(left.contains("other") && !left.contains("nagaya"), "{left}");
        let again = sandbox.nagaya(&["trust", "--uninstall", "--store", "nss", "--json"]).good().json();
        assert_eq!(store(&again, "nss")["status"], "already");
    }
}

#[test]
fn what_needs_root_is_told_and_not_done() {
    let sandbox = Sandbox::of(Account::unprivileged(), "");
    let answer = sandbox.nagaya(&["trust", "--store", "system", "--json"]).ended(1).json();
    let system = store(&answer, "system");
    assert_eq!(system["status"], "manual", "{answer}");
    let commands: Vec<&str> = system["commands"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(commands.iter().all(|command| command.starts_with("sudo ")), "{commands:?}");
    assert!(commands[0].contains(answer["ca"].as_str().unwrap()), "{commands:?}");
    let shown = sandbox.nagaya(&["trust", "--store", "system"]).ended(1).out;
    assert!(shown.contains("by hand") && shown.contains(commands[0]), "{shown}");
}

/// On copies of the system's folders, which only these processes see.
#[test]
fn root_puts_it_in_the_systems_store_and_takes_exactly_that_away() {
    let sandbox = trusted(Account::unprivileged());
    let script = r#"
        for folder in /usr/local/share/ca-certificates /etc/ssl/certs; do
            copy=$(mktemp -d -p "$HOME"); cp -a $folder/. $copy; mount --bind $copy $folder
        done
        cp -a /etc/ssl/certs before
        ask() { curl -sS --noproxy '*' -o /dev/null -w '%{http_code} ' "$URL" || true; }
        status() { "$NAGAYA" trust --store system --json "$@" | sed -n 's/.*"status": "\(.*\)".*/\1/p' | head -1; }
        say() { echo $(ask) $(status "$@"); }
        say; say; say --uninstall; say --uninstall
        diff -r --exclude java before /etc/ssl/certs && echo as before
        keytool -list -rfc -keystore /etc/ssl/certs/java/cacerts -storepass changeit | grep -c "$(sed -n 2p "$CA")"
    "#;
    let mut shell = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        shell.arg("--map-root-user");
    }
    // As root, with the folders of the sandbox's account: its authority is the one that serves.
    let own = sandbox.command("true");
    let variables = own.get_envs().filter_map(|(name, value)| Some((name, value?)));
    shell.env_clear().envs(variables).env("NAGAYA", binary()).current_dir(sandbox.path(""));
    shell.env("URL", format!("https://web.trusted.localhost:{}/", sandbox.front_door()));
    shell.env("CA", sandbox.nagaya(&["trust", "--print"]).good().out.trim());
    let run = finish(shell.args(["--mount", "--", "bash", "-c", script]));
    assert_eq!(run.out, "000 done\n200 already\n200 done\n000 already\nas before\n0\n", "{}", run.err);
}

#[test]
fn javas_store_is_served_by_its_own_tool() {
    let sandbox = trusted(Account::Own);
    let java = std::fs::canonicalize(finish(Command::new("sh").args(["-c", "command -v keytool"])).good().out.trim());
    let home = java.unwrap().parent().unwrap().parent().unwrap().to_owned();
    let copy = sandbox.path("java");
    sandbox.write("java/bin/keytool", format!("#!/bin/sh\nexec {} \"$@\"\n", home.join("bin/keytool").display()));
    sandbox.write("java/lib/security/cacerts", std::fs::read(home.join("lib/security/cacerts")).unwrap());
    sandbox.write(
        "Get.java",
        "public class Get { public static void main(String[] a) throws Exception {\n\
         var c = (java.net.HttpURLConnection) new java.net.URL(a[0]).openConnection();\n\
         System.out.println(c.getResponseCode()); } }\n",
    );
    let trust = |words: &[&str]| {
        let mut command = sandbox.command(binary());
        command.env("JAVA_HOME", &copy).args(["trust", "--store", "java", "--json"]).args(words);
        let answer = finish(&mut command).good().json();
        assert!(Path::new(store(&answer, "java")["place"].as_str().unwrap()).starts_with(&copy), "{answer}");
        store(&answer, "java")["status"].as_str().unwrap().to_owned()
    };
    let get = || {
        let mut command = sandbox.command("java");
        command.arg(format!("-Djavax.net.ssl.trustStore={}", copy.join("lib/security/cacerts").display()));
        let url = format!("https://web.trusted.localhost:{}/", sandbox.front_door());
        finish(command.args(["-Djdk.net.hosts.file=hosts", "Get.java", &url]))
    };
    sandbox.write("hosts", "127.0.0.1 web.trusted.localhost\n");
    assert!(get().err.contains("PKIX path building failed"));
    assert_eq!((trust(&[]), trust(&[])), ("done".to_owned(), "already".to_owned()));
    assert_eq!(get().good().out, "200\n");
    assert_eq!((trust(&["--uninstall"]), trust(&["--uninstall"])), ("done".to_owned(), "already".to_owned()));
    assert!(get().err.contains("PKIX path building failed"));
}

#[test]
fn programs_trust_it_by_their_variables_once_it_is_there() {
    let sandbox = Sandbox::of(Account::unprivileged(), MANIFEST);
    sandbox.write("http1.py", HTTP1);
    sandbox.up();
    let before = sandbox.nagaya(&["env", "web", "--json"]).good().json();
    assert_eq!(before["SSL_CERT_FILE"], Value::Null);
    sandbox.nagaya(&["trust", "--print"]).good();
    sandbox.nagaya(&["down"]).good();
    sandbox.up();
    let variables = sandbox.nagaya(&["env", "web", "--json"]).good().json();
    assert_eq!(variables["NODE_EXTRA_CA_CERTS"], sandbox.authority().join("ca.pem").to_str().unwrap());
    let url = format!("https://localhost:{}/", sandbox.front_door());
    let programs = [
        format!("import urllib.request; print(urllib.request.urlopen('{url}').status)"),
        format!("require('https').get('{url}', (r) => r.resume().on('end', () => console.log(r.statusCode)))"),
    ];
    for (program, flag, code) in [("python3", "-c", &programs[0]), ("node", "-e", &programs[1])] {
        assert_eq!(sandbox.nagaya(&["exec", "web", "--", program, flag, code]).good().out, "200\n", "{program}");
    }
    // All roots of the system are still there.
    let count = |path: &str| std::fs::read_to_string(path).unwrap().matches("BEGIN CERTIFICATE").count();
    let bundle = variables["SSL_CERT_FILE"].as_str().unwrap();
    assert_eq!(count(bundle), count("/etc/ssl/certs/ca-certificates.crt") + 1);
    // What the user's shell says counts more, and is no reason for a word.
    sandbox.nagaya(&["down"]).good();
    let mut up = sandbox.command(binary());
    let run = finish(up.env("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt").args(["up", "-d"])).good();
    assert!(!run.err.contains("SSL_CERT_FILE"), "{}", run.err);
    let variables = sandbox.nagaya(&["env", "web", "--json"]).good().json();
    assert_eq!(variables["SSL_CERT_FILE"], "/etc/ssl/certs/ca-certificates.crt");
}
