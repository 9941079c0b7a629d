//! Addresses in files: `/#/fs/NAME`.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::symlink;

use crate::support::sandbox::{Account, Sandbox, until};

/// A server that nagaya knows nothing of.
fn outside() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty()).for_each(drop);
            let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\noutside");
        }
    });
    port
}

const MANIFEST: &str = "
name: disco
services:
  web: { command: [sleep, infinity], depends_on: [users] }
  users: { command: 'exec python3 -u -m http.server 8080', ports: { http: 8080 }, working_dir: own }
routes: /svc/users => /#/fs/team/users | /#/local/users
";

#[test]
fn files_of_addresses_are_followed_as_they_change() {
    for account in Account::all() {
        let sandbox = Sandbox::of(account, MANIFEST);
        sandbox.write("own/here.txt", "here");
        sandbox.write("secret", format!("127.0.0.1 {}\n", outside()));
        sandbox.write("disco/team/.keep", "");
        sandbox.up();
        let get = || sandbox.nagaya(&["exec", "web", "--", "curl", "-sS", "http://users:8080/here.txt"]).good().out;
        assert_eq!(get(), "here");
        sandbox.write("disco/team/users", format!("# theirs\n127.0.0.1 {}\n", outside()));
        until("the file is followed", || get() == "outside");
        let told = sandbox.nagaya(&["dtab", "explain", "users"]).good().out;
        assert!(told.contains("/#/fs/team/users") && told.contains("/$/inet/127.0.0.1/"), "{told}");
        // A line that cannot be read changes nothing, and is told.
        sandbox.write("disco/team/users", "127.0.0.1:80\n");
        let events = || sandbox.nagaya(&["events", "--json"]).good().out;
        until("it is told", || events().contains("disco/team/users: line 1: `127.0.0.1:80` is no `HOST PORT`"));
        assert_eq!(get(), "outside");
        // An empty one is nobody, and a missing one is nothing.
        sandbox.write("disco/team/users", "");
        until("it is nobody's", || get().contains("leads nowhere"));
        fs::remove_file(sandbox.path("disco/team/users")).unwrap();
        until("it is gone", || get() == "here");
        // One that cannot be read and meant nothing yet is no missing one.
        sandbox.write("disco/wrong", "127.0.0.1:80\n");
        let ask = || {
            let words =
                ["exec", "web", "--", "curl", "-sS", "-H", "l5d-dtab: /svc/users => /#/fs/wrong", "http://users:8080/"];
            sandbox.nagaya(&words).good().out
        };
        let wrong = "the file `disco/wrong` cannot be read: line 1: `127.0.0.1:80` is no `HOST PORT`";
        until("it is told", || ask().contains(wrong));
        assert!(ask().contains("correct the file disco/wrong"), "{}", ask());
        let told = sandbox.nagaya(&["dtab", "explain", "/#/fs/wrong"]).ended(1).out;
        assert!(told.contains(&format!("takes it for nobody's: {wrong}")), "{told}");
        // Nothing is read from beside the folder.
        symlink(sandbox.path("secret"), sandbox.path("disco/team/users")).unwrap();
        sandbox.write("disco/other", "127.0.0.1 1\n");
        let explain = || sandbox.nagaya(&["dtab", "explain", "/#/fs/other"]).out;
        until("the folder is read again", || explain().contains("/$/inet/127.0.0.1/1"));
        assert_eq!(get(), "here");
    }
}
