//! `nagaya cp` with processes, which have this machine's files.

use std::fs;
use std::process::Stdio;

use crate::support::sandbox::{Account, Sandbox, binary, finish};

const MANIFEST: &str = "
name: copies
services:
  web: { command: [sleep, '1000'], working_dir: web }
";

#[test]
fn a_process_has_this_machines_files_from_its_folder_on() {
    for account in Account::all() {
        let sandbox = Sandbox::of(account, MANIFEST);
        sandbox.write("web/src/main.c", "int main;");
        sandbox.nagaya(&["cp", "web:src", "."]).ended(4);
        sandbox.up();
        let read = |name: &str| fs::read_to_string(sandbox.path(name)).unwrap();
        sandbox.nagaya(&["cp", "web:src/main.c", "mine.c"]).good().says(&["copied 1 file, 9 bytes, to mine.c"]);
        assert_eq!(read("mine.c"), "int main;");
        sandbox.write("mine.c", "int other;");
        sandbox.nagaya(&["cp", "mine.c", "web:src/main.c"]).good();
        assert_eq!(read("web/src/main.c"), "int other;");
        // A folder gets into one that is there, takes the place of none that is not, or its contents do.
        sandbox.nagaya(&["cp", "web:src", "taken"]).good();
        sandbox.nagaya(&["cp", "web:src", "taken"]).good();
        sandbox.nagaya(&["cp", "web:src/.", "taken/src"]).good();
        assert_eq!((read("taken/main.c"), read("taken/src/main.c")), (read("mine.c"), read("mine.c")));
        sandbox.nagaya(&["cp", "web:src", "mine.c"]).ended(1).says(&["mine.c is a file"]);
        sandbox.nagaya(&["cp", "mine.c", "web:no/"]).ended(1).says(&["there is no folder no/"]);
        sandbox.nagaya(&["cp", "web:absent", "x"]).ended(1).says(&["absent: No such file"]);
        sandbox.nagaya(&["cp", "web:.", "web/src"]).ended(1).says(&["not copied into itself"]);
        sandbox.nagaya(&["cp", "a", "b"]).ended(2).says(&["SERVICE:PATH"]);
        sandbox.nagaya(&["cp", "wed:a", "b"]).ended(2).says(&["no service `wed`"]);
        sandbox.nagaya(&["cp", "--index", "2", "web:a", "b"]).ended(2).says(&["web has no instance 2"]);
        let told = sandbox.nagaya(&["cp", "--json", "web:src", "told"]).good().json();
        assert_eq!((&told["files"], &told["bytes"]), (&1.into(), &10.into()), "{told}");
    }
}

#[test]
fn an_archive_goes_through_pipes() {
    let sandbox = Sandbox::new(MANIFEST);
    sandbox.write("web/src/main.c", "int main;");
    sandbox.up();
    let script = format!(
        "{0} cp web:src - | tar -t; mkdir web/to; {0} cp web:src - | {0} cp - web:to; cat web/to/src/main.c",
        binary().display()
    );
    let run = finish(sandbox.command("bash").args(["-ec", &script]).stdin(Stdio::null()));
    // The folder is named in the archive, so that it arrives under its name.
    assert_eq!(run.out, "src/\nsrc/main.c\nint main;", "{run:?}");
    sandbox.nagaya(&["cp", "-", "web:src/main.c"]).ended(1).says(&["is no folder"]);
}
