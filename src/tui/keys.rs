//! What each key means where; the help is made from the same list, and a file may say otherwise.

use std::fmt;
use std::str::FromStr;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use toml::de::{DeTable, DeValue};

/// What a key can mean outside of prompts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    Up,
    Down,
    PageUp,
    PageDown,
    Top,
    Bottom,
    Left,
    Right,
    Open,
    Back,
    /// The page of this number, from 0.
    Go(usize),
    SwitchPane,
    Why,
    /// The next service that fails.
    Trouble,
    Mark,
    /// To the terminal of a service.
    Attach,
    /// Away from it.
    Detach,
    Start,
    Stop,
    Restart,
    /// All that should run, with an engine where that is gone.
    Boot,
    /// A service by its name.
    Find,
    Search,
    NextMatch,
    PreviousMatch,
    Follow,
    Wrap,
    /// Show only lines that match.
    Filter,
    /// Show only lines of a level, or worse ones.
    Level,
    Times,
    Pretty,
    Copy,
    /// As a list, or drawn.
    AsList,
    /// What was written by what was run from here.
    Output,
    Palette,
    /// Plain lines in the place of the dashboard.
    Stream,
    /// The mouse is ours, or the terminal's.
    Mouse,
    Suspend,
    Help,
    Quit,
    Interrupt,
}

/// Where keys go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    Services,
    Logs,
    Why,
    Topology,
    Requests,
    Trace,
    Routes,
    Tasks,
    Output,
    Terminal,
}

/// An action and the keys for it.
#[derive(Debug)]
pub struct Binding {
    pub action: Action,
    /// What it is called in a file of keys.
    pub name: &'static str,
    /// The usual keys.
    pub keys: &'static str,
    pub does: &'static str,
    /// Where; everywhere, if nowhere in particular.
    pub at: &'static [Place],
}

const EVERYWHERE: &[Place] = &[];
/// Where a service is selected.
const ON_A_SERVICE: &[Place] =
    &[Place::Services, Place::Why, Place::Logs, Place::Topology, Place::Trace, Place::Routes, Place::Terminal];
/// Where lines are read, below the services too.
const AT_LINES: &[Place] = &[Place::Services, Place::Logs];
const AT_WORDS: &[Place] = &[Place::Services, Place::Logs, Place::Output];
const AT_WHAT_COMES: &[Place] = &[Place::Services, Place::Logs, Place::Requests];

const fn key(
    action: Action,
    name: &'static str,
    keys: &'static str,
    does: &'static str,
    at: &'static [Place],
) -> Binding {
    Binding { action, name, keys, does, at }
}

/// The list, in the order of the help.
pub const BINDINGS: &[Binding] = &[
    key(Action::Start, "start", "s", "start this service", ON_A_SERVICE),
    key(Action::Stop, "stop", "x", "stop it", ON_A_SERVICE),
    key(Action::Restart, "restart", "r", "restart it", ON_A_SERVICE),
    key(Action::Why, "why", "e", "explain why it is not ready", ON_A_SERVICE),
    key(Action::Attach, "attach", "a", "to its terminal, if it has one", ON_A_SERVICE),
    key(Action::Detach, "detach", "Ctrl-q", "from the terminal back to the dashboard", &[Place::Terminal]),
    key(Action::Mark, "mark", "Space", "mark it: the logs of all that are marked", &[Place::Services]),
    key(Action::SwitchPane, "pane", "Tab", "between services and logs", &[Place::Services, Place::Logs]),
    key(Action::Find, "find-service", "/", "find services by a part of their names", &[Place::Services]),
    key(Action::Search, "search", "/", "search (a regular expression)", &[Place::Logs, Place::Output]),
    key(Action::NextMatch, "next", "n", "next match", AT_WORDS),
    key(Action::PreviousMatch, "previous", "N", "previous match", AT_WORDS),
    key(Action::Filter, "filter", "&", "show only lines that match", AT_LINES),
    key(Action::Level, "level", "L", "show only warnings and worse, then errors, then all", AT_LINES),
    key(Action::Wrap, "wrap", "w", "wrap long lines", AT_LINES),
    key(Action::Times, "times", "t", "times, or none", AT_LINES),
    key(Action::Pretty, "pretty", "p", "JSON in many lines", AT_LINES),
    key(Action::Follow, "follow", "f", "follow what comes", AT_WHAT_COMES),
    key(Action::Left, "left", "h Left", "to who calls it", &[Place::Topology]),
    key(Action::Right, "right", "l Right", "to whom it calls", &[Place::Topology]),
    key(Action::AsList, "list", "v", "as a list, or drawn", &[Place::Topology]),
    key(Action::Filter, "filter-requests", "/", "show only requests that match", &[Place::Requests]),
    key(Action::Filter, "explain", "/", "explain where a path leads", &[Place::Routes]),
    key(Action::Left, "less", "- h Left", "fewer requests to this version", &[Place::Routes]),
    key(Action::Right, "more", "+ l Right", "more requests to this version", &[Place::Routes]),
    key(Action::Filter, "find", "/", "find by a few letters", &[Place::Tasks]),
    key(Action::Down, "down", "j Down", "one down", EVERYWHERE),
    key(Action::Up, "up", "k Up", "one up", EVERYWHERE),
    key(Action::PageDown, "page-down", "Ctrl-d PgDn", "a page down", EVERYWHERE),
    key(Action::PageUp, "page-up", "Ctrl-u PgUp", "a page up", EVERYWHERE),
    key(Action::Top, "top", "g Home", "to the top", EVERYWHERE),
    key(Action::Bottom, "bottom", "G End", "to the bottom", EVERYWHERE),
    key(Action::Open, "open", "Enter l z", "into it: logs, a trace, a run", EVERYWHERE),
    key(Action::Back, "back", "Esc", "back", EVERYWHERE),
    key(Action::Go(0), "go-services", "1", "services", EVERYWHERE),
    key(Action::Go(1), "go-logs", "2", "the logs of all", EVERYWHERE),
    key(Action::Go(2), "go-topology", "3", "who calls whom", EVERYWHERE),
    key(Action::Go(3), "go-requests", "4", "requests", EVERYWHERE),
    key(Action::Go(4), "go-routes", "5", "routes", EVERYWHERE),
    key(Action::Go(5), "go-tasks", "6", "tasks", EVERYWHERE),
    key(Action::Trouble, "trouble", "!", "to the next service that fails", EVERYWHERE),
    key(Action::Boot, "boot", "U", "start what is missing, and the engine if it is gone", EVERYWHERE),
    key(Action::Output, "output", "o", "what was run from here: what it wrote", EVERYWHERE),
    key(Action::Palette, "palette", ": Ctrl-p", "any command of nagaya", EVERYWHERE),
    key(Action::Copy, "copy", "y", "copy what is selected", EVERYWHERE),
    key(Action::Stream, "stream", "S", "plain lines of all logs, and back", EVERYWHERE),
    key(Action::Mouse, "mouse", "m", "clicks here, or the terminal's own selection", EVERYWHERE),
    key(Action::Suspend, "suspend", "Ctrl-z", "to the shell; `fg` comes back", EVERYWHERE),
    key(Action::Help, "help", "? F1", "this help", EVERYWHERE),
    key(Action::Quit, "quit", "q", "leave", EVERYWHERE),
    key(Action::Interrupt, "interrupt", "Ctrl-c", "stop all if it is yours, else leave; twice kills", EVERYWHERE),
];

/// A key, perhaps with Ctrl.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Chord {
    code: KeyCode,
    control: bool,
}

/// The keys that are no characters, by their names.
const NAMED: [(&str, KeyCode); 14] = [
    ("Enter", KeyCode::Enter),
    ("Esc", KeyCode::Esc),
    ("Tab", KeyCode::Tab),
    ("Space", KeyCode::Char(' ')),
    ("Up", KeyCode::Up),
    ("Down", KeyCode::Down),
    ("Left", KeyCode::Left),
    ("Right", KeyCode::Right),
    ("PgUp", KeyCode::PageUp),
    ("PgDn", KeyCode::PageDown),
    ("Home", KeyCode::Home),
    ("End", KeyCode::End),
    ("Del", KeyCode::Delete),
    ("Backspace", KeyCode::Backspace),
];

impl FromStr for Chord {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (control, name) = match text.strip_prefix("Ctrl-") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let mut chars = name.chars();
        let code = match (chars.next(), chars.next()) {
            (Some(c), None) => Some(KeyCode::Char(c)),
            _ => NAMED.iter().find(|(known, _)| *known == name).map(|(_, code)| *code).or_else(|| {
                let number = name.strip_prefix('F')?.parse().ok().filter(|number| (1..=24).contains(number))?;
                Some(KeyCode::F(number))
            }),
        };
        code.map(|code| Self { code, control }).ok_or_else(|| {
            format!("`{text}` is no key; keys are `x`, `X`, `Ctrl-x`, `F5`, `Space`, `Enter`, `PgDn` and the like")
        })
    }
}

impl fmt::Display for Chord {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.control {
            out.write_str("Ctrl-")?;
        }
        match (self.code, NAMED.iter().find(|(_, code)| *code == self.code)) {
            (KeyCode::Up, _) => out.write_str("↑"),
            (KeyCode::Down, _) => out.write_str("↓"),
            (KeyCode::Left, _) => out.write_str("←"),
            (KeyCode::Right, _) => out.write_str("→"),
            (_, Some((name, _))) => out.write_str(name),
            (KeyCode::Char(c), None) => write!(out, "{c}"),
            (KeyCode::F(number), None) => write!(out, "F{number}"),
            (_, None) => Ok(()),
        }
    }
}

/// The keys as they are: the usual ones, or others for some actions.
#[derive(Debug)]
pub struct Keymap {
    chords: Vec<(&'static Binding, Vec<Chord>)>,
}

impl Default for Keymap {
    fn default() -> Self {
        let chords = |binding: &Binding| binding.keys.split(' ').filter_map(|key| key.parse().ok()).collect();
        Self { chords: BINDINGS.iter().map(|binding| (binding, chords(binding))).collect() }
    }
}

impl Keymap {
    /// The usual keys, with what a file says: `restart = "R"`, `down = ["j", "Ctrl-n"]`. What is wrong with it is told,
    /// and the rest counts.
    pub fn read(text: &str) -> (Self, Vec<String>) {
        let (mut keymap, mut problems) = (Self::default(), Vec::new());
        let table = match DeTable::parse(text) {
            Ok(table) => table.into_inner(),
            Err(error) => return (keymap, vec![error.message().to_owned()]),
        };
        for (name, value) in table {
            if let Err(problem) = keymap.set(name.get_ref().as_ref(), value.get_ref()) {
                problems.push(problem);
            }
        }
        (keymap, problems)
    }

    fn set(&mut self, name: &str, value: &DeValue<'_>) -> Result<(), String> {
        let Some(place) = self.chords.iter().position(|(binding, _)| binding.name == name) else {
            let all: Vec<&str> = BINDINGS.iter().map(|binding| binding.name).collect();
            return Err(format!("there is no action `{name}`; there are {}", all.join(", ")));
        };
        let keys: Vec<&str> = match value {
            DeValue::String(key) => vec![key.as_ref()],
            DeValue::Array(keys) => keys.iter().filter_map(|key| key.get_ref().as_str()).collect(),
            _ => return Err(format!("`{name}` is a key or a list of keys")),
        };
        let chords = keys.into_iter().map(str::parse).collect::<Result<Vec<Chord>, String>>()?;
        let at = self.chords[place].0.at;
        let meet = |other: &[Place]| {
            at.is_empty() == other.is_empty() && (at.is_empty() || other.iter().any(|it| at.contains(it)))
        };
        // A key that gets another meaning loses the one that it had there.
        for (binding, known) in &mut self.chords {
            if meet(binding.at) {
                known.retain(|chord| !chords.contains(chord));
            }
        }
        self.chords[place].1 = chords;
        Ok(())
    }

    /// What a key means at a place: there in particular, else everywhere.
    pub fn action(&self, place: Place, key: KeyEvent) -> Option<Action> {
        if key.modifiers.contains(KeyModifiers::ALT) {
            return None;
        }
        let code = if key.code == KeyCode::BackTab { KeyCode::Tab } else { key.code };
        let chord = Chord { code, control: key.modifiers.contains(KeyModifiers::CONTROL) };
        let has = |(_, chords): &&(&Binding, Vec<Chord>)| chords.contains(&chord);
        let here = |(binding, _): &&(&Binding, Vec<Chord>)| binding.at.contains(&place);
        let anywhere = |(binding, _): &&(&Binding, Vec<Chord>)| binding.at.is_empty();
        let mut known = self.chords.iter().filter(has);
        let found = known.clone().find(here).or_else(|| known.find(anywhere));
        found.map(|(binding, _)| binding.action)
    }

    /// The keys for an action as people read them, and what it does, for a place: its own first.
    pub fn help(&self, place: Place) -> Vec<(String, &'static str)> {
        let own = self.chords.iter().filter(|(binding, _)| binding.at.contains(&place));
        let all = self.chords.iter().filter(|(binding, _)| binding.at.is_empty());
        own.chain(all).map(|(binding, chords)| (written(chords), binding.does)).collect()
    }

    /// The first key for an action at a place, for hints.
    pub fn first(&self, place: Place, action: Action) -> String {
        let mut known = self.chords.iter().filter(|(binding, _)| binding.action == action);
        let found = known.clone().find(|(binding, _)| binding.at.contains(&place)).or_else(|| known.next());
        found.and_then(|(_, chords)| chords.first()).map(Chord::to_string).unwrap_or_default()
    }
}

fn written(chords: &[Chord]) -> String {
    chords.iter().map(Chord::to_string).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const PLACES: [Place; 10] = [
        Place::Services,
        Place::Logs,
        Place::Why,
        Place::Topology,
        Place::Requests,
        Place::Trace,
        Place::Routes,
        Place::Tasks,
        Place::Output,
        Place::Terminal,
    ];

    #[test]
    fn every_key_has_one_meaning_at_a_place() {
        let own = PLACES.map(|place| BINDINGS.iter().filter(|it| it.at.contains(&place)).collect::<Vec<_>>());
        let anywhere = BINDINGS.iter().filter(|it| it.at.is_empty()).collect();
        for bindings in own.into_iter().chain([anywhere]) {
            let mut seen = HashSet::new();
            for key in bindings.iter().flat_map(|binding| binding.keys.split(' ')) {
                let chord: Chord = key.parse().unwrap();
                assert!(seen.insert(chord), "{key} means two things");
            }
        }
    }

    fn press(keymap: &Keymap, place: Place, code: KeyCode) -> Option<Action> {
        keymap.action(place, KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn a_file_may_say_otherwise() {
        let (keymap, problems) = Keymap::read("restart = 'R'\ndown = ['n', 'F5']\nfly = 'f'\nstop = 'Hyper-x'\nup = 1");
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert_eq!(press(&keymap, Place::Services, KeyCode::Char('R')), Some(Action::Restart));
        assert_eq!(press(&keymap, Place::Services, KeyCode::Char('r')), None);
        assert_eq!(press(&keymap, Place::Requests, KeyCode::F(5)), Some(Action::Down));
        assert_eq!(press(&keymap, Place::Services, KeyCode::Char('x')), Some(Action::Stop));
        let (keymap, _) = Keymap::read("start = 'x'");
        assert_eq!(press(&keymap, Place::Services, KeyCode::Char('x')), Some(Action::Start));
    }
}
