//! The dashboard in a real terminal (tmux), with real keys.

use crate::support::sandbox::{Account, Run, Sandbox, binary, finish, signal, until};

const MANIFEST: &str = r#"
name: term
services:
  web: { command: "echo hello from web; exec sleep infinity" }
  users: { command: "echo hello from users; exec sleep infinity" }
"#;

/// A terminal of its own server; its shell tells how the command in it ended.
pub struct Terminal<'a> {
    sandbox: &'a Sandbox,
    socket: String,
}

impl<'a> Terminal<'a> {
    pub fn open(sandbox: &'a Sandbox, size: (u16, u16), words: &str) -> Self {
        let terminal = Self { sandbox, socket: format!("tmux-{}", fastrand::u32(..)) };
        // The shell outlives a Ctrl-C that is one for all in the foreground.
        let script = format!("trap : INT; {} {words}; echo ended with $?; exec sleep infinity", binary().display());
        let (width, height) = (size.0.to_string(), size.1.to_string());
        terminal.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", &width, "-y", &height, &script]).good();
        terminal
    }

    fn tmux(&self, words: &[&str]) -> Run {
        finish(self.sandbox.command("tmux").args(["-S", &self.socket]).args(words))
    }

    pub fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"]).good().out
    }

    /// What is seen, with its colours.
    pub fn colours(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-e"]).good().out
    }

    pub fn resize(&self, (width, height): (u16, u16)) {
        let (width, height) = (width.to_string(), height.to_string());
        self.tmux(&["resize-window", "-x", &width, "-y", &height]).good();
    }

    /// All that scrolled out of sight, and what is seen.
    fn history(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-S", "-"]).good().out
    }

    /// Types bytes as they are, such as what a terminal sends of its mouse.
    fn send(&self, bytes: &str) {
        self.tmux(&["send-keys", "-l", bytes]).good();
    }

    /// Rows and columns, as `stty size` has them.
    pub fn size(&self) -> String {
        self.tmux(&["display-message", "-p", "#{pane_height} #{pane_width}"]).good().out.trim().to_owned()
    }

    pub fn has(&self, text: &str) -> bool {
        self.screen().contains(text)
    }

    #[track_caller]
    pub fn shows(&self, text: &str) {
        until(&format!("the screen shows `{text}`"), || self.screen().contains(text));
    }

    pub fn press(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat()).good();
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

#[test]
fn the_owner_is_asked_and_stops_all_or_leaves_it() {
    for account in Account::all() {
        let sandbox = Sandbox::of(account, MANIFEST);
        let terminal = Terminal::open(&sandbox, (80, 24), "up");
        terminal.shows("2/2 ready");
        terminal.shows("hello from web");
        terminal.press(&["j"]);
        terminal.shows("hello from users");
        terminal.press(&["q"]);
        terminal.shows("Stop the workspace, or leave it running?");
        terminal.press(&["l"]);
        terminal.shows("ended with 0");
        assert_eq!(sandbox.row("web")["state"], "running");
        drop(terminal);

        // Whoever comes later only looks.
        let terminal = Terminal::open(&sandbox, (80, 24), "ui");
        terminal.shows("hello from web");
        // A paste is no key: neither to stop nor to leave.
        terminal.tmux(&["set-buffer", "xq"]).good();
        terminal.tmux(&["paste-buffer", "-p"]).good();
        terminal.shows("nothing here takes text");
        assert_eq!(sandbox.row("web")["state"], "running");
        terminal.press(&["x"]);
        terminal.shows("stopped");
        assert_eq!(sandbox.row("web")["state"], "stopped");
        terminal.press(&["q"]);
        terminal.shows("ended with 0");
        assert_eq!(sandbox.row("users")["state"], "running");
    }
}

#[test]
fn stopping_from_the_dashboard_leaves_nothing_and_restores_the_terminal() {
    let sandbox = Sandbox::new(MANIFEST);
    let terminal = Terminal::open(&sandbox, (80, 24), "up");
    terminal.shows("2/2 ready");
    terminal.press(&["q"]);
    terminal.press(&["s"]);
    terminal.shows("ended with 0");
    assert!(!terminal.screen().contains("services"), "{}", terminal.screen());
    assert_eq!(terminal.tmux(&["display-message", "-p", "#{alternate_on} #{cursor_flag}"]).out, "0 1\n");
    drop(terminal);
    sandbox.empties();
}

#[test]
fn it_follows_the_size_of_the_terminal_down_to_almost_none() {
    let sandbox = Sandbox::new(MANIFEST);
    sandbox.up();
    let terminal = Terminal::open(&sandbox, (160, 50), "ui");
    terminal.shows("q quit");
    terminal.tmux(&["resize-window", "-x", "20", "-y", "5"]).good();
    terminal.shows("term 2/2");
    until("the panes are gone", || !terminal.screen().contains("services"));
    terminal.tmux(&["resize-window", "-x", "80", "-y", "24"]).good();
    terminal.shows("hello from web");
}

#[test]
fn ctrl_c_in_the_owners_dashboard_stops_and_twice_kills() {
    let sandbox = Sandbox::new(
        "name: term\nservices:\n  web: { command: \"trap '' TERM; echo ready to resist; while :; do sleep 0.1; done\" }\n",
    );
    let terminal = Terminal::open(&sandbox, (80, 24), "up");
    terminal.shows("ready to resist");
    terminal.press(&["C-c"]);
    terminal.shows("stopping");
    terminal.press(&["C-c"]);
    terminal.shows("ended with 130");
    drop(terminal);
    sandbox.empties();
}

#[test]
fn a_terminal_that_closes_takes_its_workspace_with_it() {
    let sandbox = Sandbox::new(MANIFEST);
    let terminal = Terminal::open(&sandbox, (80, 24), "up");
    terminal.shows("2/2 ready");
    drop(terminal);
    sandbox.empties();
}

const COUNTING: &str = "name: term\nservices:\n  \
    web: { command: 'i=0; while :; do i=$((i+1)); echo line-$i; sleep 0.02; done' }\n  other: { command: sleep infinity }\n";

/// The numbers that `web` has written, as they stand in a text, in a frame too.
fn numbers(text: &str) -> Vec<usize> {
    let rests = text.lines().filter_map(|line| Some(line.rsplit_once("line-")?.1));
    rests.filter_map(|rest| rest.trim_end_matches(|c: char| !c.is_ascii_digit()).parse().ok()).collect()
}

#[test]
fn plain_lines_lose_and_repeat_none() {
    for account in Account::all() {
        let sandbox = Sandbox::of(account, COUNTING);
        let terminal = Terminal::open(&sandbox, (80, 24), "up");
        terminal.shows("2/2 ready");
        for from in [1, 2, 3] {
            terminal.press(&["S"]);
            let seen = numbers(&terminal.history()).len();
            let told = || terminal.history().matches("plain lines; S goes back").count();
            until("plain lines begin", || told() == from);
            until("lines come", || numbers(&terminal.history()).len() > seen + 20);
            terminal.press(&["S"]);
            terminal.shows("? help");
            until("more are written meanwhile", || {
                numbers(&terminal.screen()).last().is_some_and(|it| *it > from * 40)
            });
        }
        terminal.press(&["S"]);
        until("the frame is gone", || !terminal.has("? help"));
        // Ctrl-C does what it does in the dashboard.
        terminal.press(&["C-c"]);
        terminal.shows("ended with 0");
        let history = terminal.history();
        let numbers = numbers(&history);
        assert!(numbers.len() > 100, "{history}");
        assert_eq!(numbers, (1..=numbers.len()).collect::<Vec<_>>(), "{history}");
        assert!(history.contains("other | ● running"), "{history}");
        assert_eq!(terminal.tmux(&["display-message", "-p", "#{alternate_on} #{cursor_flag}"]).out, "0 1\n");
        drop(terminal);
        sandbox.empties();
    }
}

/// A shell that goes on with a stopped job leaves the terminal as it had it itself.
#[test]
fn plain_lines_hear_keys_also_after_a_shell_had_the_terminal() {
    let sandbox = Sandbox::new(MANIFEST);
    sandbox.up();
    let terminal = Terminal::open(&sandbox, (80, 24), "ui");
    terminal.shows("hello from web");
    terminal.press(&["S"]);
    terminal.shows("plain lines; S goes back");
    let tty = terminal.tmux(&["display-message", "-p", "#{pane_tty}"]).good().out.trim().to_owned();
    let sh = |script: &str| finish(sandbox.command("sh").args(["-c", script])).good().out;
    let hears = || sh(&format!("stty -a -F {tty}")).contains("-icanon");
    until("keys are heard one by one", hears);
    sh(&format!("stty sane -F {tty}"));
    assert!(!hears());
    sh(&format!("kill -CONT $(pgrep -x nagaya -t {})", tty.trim_start_matches("/dev/")));
    until("they are again", hears);
    terminal.press(&["S"]);
    terminal.shows("? help");
}

#[test]
fn clicks_select_unless_the_mouse_is_the_terminals() {
    let sandbox = Sandbox::new(MANIFEST);
    sandbox.up();
    let terminal = Terminal::open(&sandbox, (80, 24), "ui");
    terminal.shows("hello from web");
    let mouse = |terminal: &Terminal<'_>| terminal.tmux(&["display-message", "-p", "#{mouse_standard_flag}"]).out;
    assert_eq!(mouse(&terminal), "1\n");
    // The second row of the table, as xterm tells of it (SGR 1006, counted from 1).
    terminal.send("\x1b[<0;4;5M\x1b[<0;4;5m");
    terminal.shows("hello from users");
    terminal.press(&["m"]);
    terminal.shows("the mouse is the terminal's");
    until("the terminal has it", || mouse(&terminal) == "0\n");
    terminal.press(&["q"]);
    terminal.shows("ended with 0");
    drop(terminal);
    let terminal = Terminal::open(&sandbox, (80, 24), "ui --mouse off --view logs:users");
    terminal.shows("hello from users");
    assert_eq!(mouse(&terminal), "0\n");
}

#[test]
fn an_engine_that_was_killed_ends_nothing_well() {
    let sandbox = Sandbox::new(MANIFEST);
    sandbox.up();
    let terminal = Terminal::open(&sandbox, (80, 24), "ui");
    terminal.shows("hello from web");
    signal("KILL", u32::try_from(sandbox.engine()["pid"].as_u64().unwrap()).unwrap());
    terminal.shows("the engine is gone");
    terminal.press(&["q"]);
    terminal.shows("the engine ended unexpectedly");
    terminal.shows("ended with 1");
    drop(terminal);
    sandbox.up();
    let terminal = Terminal::open(&sandbox, (80, 24), "ui");
    terminal.shows("hello from web");
    sandbox.nagaya(&["down"]).good();
    terminal.shows("term was stopped, and is down");
    terminal.shows("ended with 0");
}

#[test]
fn the_palette_helps_with_commands() {
    let sandbox = Sandbox::new(MANIFEST);
    sandbox.up();
    let terminal = Terminal::open(&sandbox, (100, 40), "ui");
    terminal.shows("hello from web");
    terminal.press(&[":"]);
    terminal.press(&["help restart", "Enter"]);
    terminal.shows("Usage: nagaya restart");
    terminal.shows("done");
}

/// It is said, as what has come about or as how things stand: whoever listens late finds both running.
#[track_caller]
fn both_are_well(terminal: &Terminal<'_>) {
    let said = ["term: all 2 instances are as they should be", "term: 2 of 2 instances are as they should be"];
    until("both are well", || said.iter().any(|said| terminal.has(said)));
}

#[test]
fn who_boots_hears_of_it_in_lines_too() {
    let sandbox = Sandbox::new(MANIFEST);
    let terminal = Terminal::open(&sandbox, (100, 40), "up --words");
    terminal.shows("help says what can be typed");
    both_are_well(&terminal);
    assert_eq!(terminal.tmux(&["display-message", "-p", "#{alternate_on}"]).out, "0\n");
    // Whose it is, is asked.
    terminal.press(&["quit", "Enter"]);
    terminal.shows("type stop, leave or stay");
    terminal.press(&["stay", "Enter"]);
    terminal.shows("staying with term");
    terminal.press(&["restart web", "Enter"]);
    terminal.shows("`restart web` is done");
    // Whoever listens is told already; tmux would take `up` for a key.
    terminal.press(&["u", "p", "Enter"]);
    terminal.shows("`up` is done");
    terminal.press(&["quit", "Enter", "leave", "Enter"]);
    terminal.shows("term runs on");
    terminal.shows("ended with 0");
    drop(terminal);
    // A second one owns nothing, and only leaves.
    let terminal = Terminal::open(&sandbox, (100, 40), "up --words");
    terminal.shows("help says what can be typed");
    terminal.press(&["C-c"]);
    terminal.shows("ended with 0");
    assert_eq!(sandbox.row("web")["state"], "running");
    sandbox.nagaya(&["down"]).good();
    drop(terminal);
    let terminal = Terminal::open(&sandbox, (100, 40), "up --words");
    both_are_well(&terminal);
    terminal.press(&["C-c"]);
    terminal.shows("stopping everything; Ctrl-c kills");
    terminal.shows("term is down");
    terminal.shows("ended with 0");
    drop(terminal);
    // That nobody can type is no reason to stop what runs; that somebody else stops it is no failure.
    let terminal = Terminal::open(&sandbox, (100, 40), "up --words < /dev/null");
    terminal.shows("nothing more can be typed");
    both_are_well(&terminal);
    sandbox.nagaya(&["down"]).good();
    terminal.shows("term is down");
    terminal.shows("ended with 0");
}

#[test]
fn who_has_everything_stopped_cannot_leave_it_running_any_more() {
    let slow = "trap \"until [ -e go ]; do sleep 0.01; done; exit 0\" TERM; echo up; while :; do sleep 0.05; done";
    let sandbox = Sandbox::new(&format!(
        "name: slow\nservices: {{ web: {{ command: '{slow}', stop_grace_period: 60s, readiness: {{ log: up }} }} }}"
    ));
    let terminal = Terminal::open(&sandbox, (100, 40), "up --words");
    terminal.shows("help says what can be typed");
    until("web is ready", || sandbox.row("web")["ready"] == true);
    terminal.press(&["quit", "Enter", "stop", "Enter"]);
    terminal.shows("stopping everything");
    terminal.press(&["quit", "Enter"]);
    terminal.shows("slow is stopping already");
    sandbox.write("go", "");
    terminal.shows("slow is down");
    terminal.shows("ended with 0");
    assert!(!terminal.has("runs on"));
}

#[test]
fn words_are_said_and_typed_in_lines() {
    let sandbox = Sandbox::new(MANIFEST);
    sandbox.up();
    let terminal = Terminal::open(&sandbox, (100, 40), "ui --words");
    terminal.shows("help says what can be typed");
    assert!(terminal.has("term: 2 of 2 instances are as they should be"));
    terminal.press(&["stop users", "Enter"]);
    terminal.shows("users is stopped");
    terminal.shows("`stop users` is done");
    terminal.press(&["follow web", "Enter"]);
    terminal.shows("following web");
    sandbox.nagaya(&["restart", "web"]).good();
    terminal.shows("web: hello from web");
    terminal.press(&["why users", "Enter"]);
    terminal.shows("`why users` ");
    terminal.press(&["nonsense", "Enter"]);
    terminal.shows("`nonsense` ended with 2");
    assert_eq!(terminal.tmux(&["display-message", "-p", "#{alternate_on}"]).out, "0\n");
    terminal.press(&["quit", "Enter"]);
    terminal.shows("ended with 0");
    assert_eq!(sandbox.row("web")["state"], "running");
    drop(terminal);
    // A pipe is as good: what is typed is done in turn, and its end is the end.
    sandbox.write("typed", "ps\nhelp\n\nfollow nobody");
    let script = format!("{} ui --words < typed", binary().display());
    let said = finish(sandbox.command("sh").args(["-c", &script])).good().out;
    let places = ["SERVICE ", "`ps` is done", "an empty line: how things stand", "there is no service nobody"]
        .map(|text| said.find(text).unwrap_or_else(|| panic!("no `{text}` in {said}")));
    assert!(places.is_sorted(), "{said}");
    assert!(!said.contains('\u{1b}'), "{said}");
}
