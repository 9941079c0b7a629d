//! A workspace of its own for one test: a folder, an account, and the real binary.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

pub use super::running::Running;

/// Longer than anything takes that works, on a machine that is busy.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Who a test is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// Whoever runs the tests.
    Own,
    /// A real unprivileged account, by its numbers.
    Other { uid: u32, gid: u32 },
}

impl Account {
    /// The accounts that what matters is tried as: this one, and where this is root, an unprivileged one.
    pub fn all() -> Vec<Self> {
        if number("-u", None) != 0 { vec![Self::Own] } else { vec![Self::Own, Self::unprivileged()] }
    }

    /// An account without privileges: this one, or the one that `tests/run` makes.
    pub fn unprivileged() -> Self {
        if number("-u", None) != 0 {
            return Self::Own;
        }
        let name = std::env::var("NAGAYA_TEST_USER").unwrap_or_else(|_| "nagaya-tests".to_owned());
        Self::Other { uid: number("-u", Some(&name)), gid: number("-g", Some(&name)) }
    }
}

fn number(flag: &str, name: Option<&str>) -> u32 {
    let out = Command::new("id").arg(flag).args(name).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    text.trim().parse().unwrap_or_else(|_| panic!("there is no account {name:?}: `tests/run` makes it"))
}

/// What a command that ended said.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Run {
    /// It ended with this code.
    #[track_caller]
    pub fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\n--- out\n{}\n--- err\n{}", self.out, self.err);
        self
    }

    /// It went well.
    #[track_caller]
    pub fn good(self) -> Self {
        self.ended(0)
    }

    /// Its standard output as JSON.
    #[track_caller]
    pub fn json(self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Its standard error has all of these.
    #[track_caller]
    pub fn says(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.err.contains(text), "no `{text}` in\n{}\n--- out\n{}", self.err, self.out);
        }
        self
    }
}

/// A folder with a manifest, state and sockets of its own. Dropping it ends what runs, and nothing may be left then.
pub struct Sandbox {
    folder: TempDir,
    account: Account,
    home: PathBuf,
    /// What a command may take at most.
    limit: Duration,
}

impl Sandbox {
    /// For whoever runs the tests.
    pub fn new(manifest: &str) -> Self {
        Self::of(Account::Own, manifest)
    }

    /// For an account.
    pub fn of(account: Account, manifest: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("nagaya-").tempdir().unwrap();
        let home = folder.path().join("home");
        let sandbox = Self { folder, account, home, limit: 2 * PATIENCE };
        sandbox.give(sandbox.folder.path());
        for name in ["work", "home", "state", "run", "cache"] {
            let path = sandbox.folder.path().join(name);
            fs::create_dir(&path).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
            sandbox.give(&path);
        }
        if !manifest.is_empty() {
            sandbox.write("nagaya.yaml", manifest);
        }
        sandbox
    }

    /// The same with the real home of whoever runs the tests, and what is set up there.
    pub fn at_home(mut self) -> Self {
        self.home = std::env::home_dir().unwrap();
        self.limit = FIRST_BUILD;
        self
    }

    fn give(&self, path: &Path) {
        if let Account::Other { uid, gid } = self.account {
            chown(path, Some(uid), Some(gid)).unwrap();
        }
    }

    /// The folder of the manifest.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("work").join(name)
    }

    /// Writes a file beside the manifest, and the folders on the way.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        for folder in path.ancestors().skip(1).take_while(|folder| !folder.exists()).collect::<Vec<_>>().iter().rev() {
            fs::create_dir(folder).unwrap();
            self.give(folder);
        }
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        self.give(&path);
    }

    /// Puts a program beside the manifest, without a copy where that is possible.
    pub fn share(&self, from: &Path, name: &str) {
        self.write(name, b"");
        let path = self.path(name);
        fs::remove_file(&path).unwrap();
        if fs::hard_link(from, &path).is_err() {
            fs::copy(from, &path).unwrap();
        }
    }

    /// Git in the workspace, as somebody with a name; what it prints.
    #[track_caller]
    pub fn git(&self, words: &[&str]) -> String {
        let identity = ["-c", "user.name=Me", "-c", "user.email=me@example.com", "-c", "commit.gpgsign=false"];
        finish(self.command("git").args(identity).args(words)).good().out
    }

    /// A command as this sandbox's account, in its folder, with its places and nothing else from the surroundings.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let base = self.folder.path();
        let mut command = match self.account {
            Account::Own => Command::new(program),
            Account::Other { uid, gid } => {
                let mut command = Command::new("setpriv");
                command.args([&format!("--reuid={uid}"), &format!("--regid={gid}")]).args(["--clear-groups", "--"]);
                command.arg(program);
                command
            }
        };
        command
            .env_clear()
            .env("PATH", programs())
            .env("HOME", &self.home)
            .env("XDG_STATE_HOME", base.join("state"))
            .env("XDG_CACHE_HOME", base.join("cache"))
            .env("XDG_RUNTIME_DIR", base.join("run"))
            .env("NAGAYA_LOCKS", base.join("locks"))
            .env("SHELL", "/bin/sh")
            .env("TERM", "xterm-256color")
            .env("LANG", "C.UTF-8")
            // What the peers are made of need not be compiled again.
            .env("GOCACHE", self.home.join(".cache/go-build"))
            .current_dir(base.join("work"))
            .stdin(Stdio::null());
        command
    }

    /// Runs nagaya to its end.
    #[track_caller]
    pub fn nagaya(&self, words: &[&str]) -> Run {
        finish_within(self.limit, self.command(binary()).args(words))
    }

    /// Starts nagaya and lets it run; its output goes into files that `Running` reads.
    pub fn start(&self, words: &[&str]) -> Running {
        self.spawn(self.command(binary()).args(words))
    }

    /// The same with a process group of its own, which no terminal tells of anything.
    pub fn start_apart(&self, words: &[&str]) -> Running {
        self.spawn(self.command(binary()).args(words).process_group(0))
    }

    /// Starts a command of this sandbox's.
    pub fn spawn(&self, command: &mut Command) -> Running {
        let [out, err] = ["out", "err"].map(|name| self.folder.path().join(format!("{name}-{}", fastrand::u32(..))));
        let file = |path: &Path| fs::File::create(path).unwrap();
        let child = command.stdout(file(&out)).stderr(file(&err)).spawn().expect("nagaya starts");
        Running { child, out, err }
    }

    /// Boots all and waits until all are ready.
    #[track_caller]
    pub fn up(&self) -> Run {
        self.nagaya(&["up", "-d", "--wait", "--wait-timeout", "60s"]).good()
    }

    /// The row of a service in `ps --json`.
    #[track_caller]
    pub fn row(&self, service: &str) -> Value {
        let rows = self.nagaya(&["ps", "--json"]).good().json();
        let found = rows.as_array().unwrap().iter().find(|row| row["name"] == service).cloned();
        found.unwrap_or_else(|| panic!("no {service} in {rows}"))
    }

    /// The number of a service's main process.
    #[track_caller]
    pub fn pid(&self, service: &str) -> u32 {
        self.row(service)["pid"].as_u64().unwrap_or_else(|| panic!("{service} has no process")).try_into().unwrap()
    }

    /// The objects that `requests --json` prints.
    pub fn requests(&self) -> Vec<Value> {
        let run = self.nagaya(&["requests", "--json"]).good();
        run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What the engine says of itself, from its note in the state folder.
    #[track_caller]
    pub fn engine(&self) -> Value {
        let state = self.folder.path().join("state/nagaya");
        let notes = fs::read_dir(&state).unwrap().map(|entry| entry.unwrap().path().join("engine.json"));
        let note = { notes }.find(|path| path.exists()).expect("an engine has left a note");
        serde_json::from_str(&fs::read_to_string(note).unwrap()).unwrap()
    }

    /// The state folder of the only workspace.
    #[track_caller]
    pub fn home(&self) -> PathBuf {
        self.engine()["state"].as_str().unwrap().into()
    }

    /// Nothing was ever written into its state and runtime folders, nor into its home.
    pub fn untouched(&self) -> bool {
        let is_empty = |name: &str| fs::read_dir(self.folder.path().join(name)).unwrap().next().is_none();
        ["state", "run", "home", "cache"].into_iter().all(is_empty)
    }

    /// The processes of this sandbox: they have its state folder in their environment.
    pub fn processes(&self) -> Vec<u32> {
        let mark = format!("XDG_STATE_HOME={}", self.folder.path().join("state").display()).into_bytes();
        let marked = |pid: &u32| {
            let variables = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            variables.split(|byte| *byte == 0).any(|variable| variable == mark)
        };
        let entries = fs::read_dir("/proc").unwrap().flatten();
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(marked).collect()
    }

    /// Waits until nothing of this sandbox runs.
    #[track_caller]
    pub fn empties(&self) {
        until("all processes are gone", || self.processes().is_empty());
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let running = finish(self.command(binary()).args(["ls", "--json"]));
        let running: Value = serde_json::from_str(&running.out).unwrap_or_default();
        for engine in running.as_array().into_iter().flatten() {
            if let Some(name) = engine["name"].as_str() {
                finish(self.command(binary()).args(["-p", name, "down", "--force"]));
            }
        }
        let left = if std::thread::panicking() { self.processes() } else { settled(|| self.processes()) };
        for pid in &left {
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
        }
        super::left::remove_data(&self.folder.path().join("state/nagaya"));
        assert!(left.is_empty() || std::thread::panicking(), "processes are left: {left:?}");
    }
}

/// What is left when it no longer changes to nothing.
fn settled(look: impl Fn() -> Vec<u32>) -> Vec<u32> {
    let begun = Instant::now();
    while !look().is_empty() && begun.elapsed() < Duration::from_secs(10) {
        pause(begun);
    }
    look()
}

/// The folders with programs, but for those with scripts of version managers: they run a shell or more for each call, which
/// costs the tests a tenth of their time.
fn programs() -> &'static OsStr {
    static PROGRAMS: OnceLock<std::ffi::OsString> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        let all = std::env::var_os("PATH").unwrap_or_default();
        std::env::join_paths(std::env::split_paths(&all).filter(|folder| !folder.ends_with("shims"))).unwrap()
    })
}

/// Signals a process.
#[track_caller]
pub fn signal(name: &str, pid: u32) {
    let status = Command::new("kill").args([format!("-{name}"), pid.to_string()]).status().unwrap();
    assert!(status.success(), "no process {pid}");
}

/// Waits for a condition, with patience.
#[track_caller]
pub fn until(what: &str, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "it never came about that {what}");
        pause(begun);
    }
}

/// Between two looks at a condition that nothing announces: the longer it has lasted the longer, as a look costs something.
pub(super) fn pause(begun: Instant) {
    let (least, most) = (Duration::from_millis(20), Duration::from_millis(250));
    std::thread::park_timeout((begun.elapsed() / 8).clamp(least, most));
}

/// The shop's first build fetches and compiles for five languages.
const FIRST_BUILD: Duration = Duration::from_secs(600);

/// Runs a command to its end, or ends it.
pub fn finish(command: &mut Command) -> Run {
    finish_within(2 * PATIENCE, command)
}

fn finish_within(limit: Duration, command: &mut Command) -> Run {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command starts");
    let pid = child.id();
    let (done, ended) = std::sync::mpsc::channel::<()>();
    let guard = std::thread::spawn(move || {
        if ended.recv_timeout(limit).is_err_and(|error| error == std::sync::mpsc::RecvTimeoutError::Timeout) {
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
        }
    });
    let output = child.wait_with_output().unwrap();
    drop(done);
    guard.join().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Run { code: code(output.status), out: text(output.stdout), err: text(output.stderr) }
}

pub(super) fn code(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap())
}

/// The binary, copied to a place that every account can read; the next run of the tests takes the same one.
pub fn binary() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("nagaya-tests-{}", number("-u", None)));
        fs::create_dir_all(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        let fresh = folder.join(format!("nagaya-{}", std::process::id()));
        fs::copy(env!("CARGO_BIN_EXE_nagaya"), &fresh).unwrap();
        fs::rename(&fresh, folder.join("nagaya")).unwrap();
        folder.join("nagaya")
    })
}

/// The long counts, on request.
pub fn full() -> bool {
    std::env::var_os("NAGAYA_FULL").is_some()
}
