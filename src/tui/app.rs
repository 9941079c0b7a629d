//! The dashboard's state, and what messages do to it. What keys do is `act`.

use crossterm::event::{KeyEvent, KeyEventKind, MouseEvent};
use jiff::{Timestamp, tz::TimeZone};
use ratatui::layout::Position;

use super::doing::Doing;
use super::ending::{Ending, Heir};
use super::keys::Keymap;
use super::logs::Logs;
use super::mouse::Spots;
use super::network::Network;
use super::outcome::Kept;
use super::output::Outputs;
use super::page::{Page, ROOTS, Trail};
use super::palette::Command;
use super::prompt::{For, Prompt};
use super::requests::Requests;
use super::routes::{self, Routes};
use super::services::Group;
use super::tasks::{Task, Tasks};
use super::terminal::{self, Attached, Seat};
use super::theme::Theme;
use super::topology::Topology;
use super::why::Why;
use crate::runtime::Changes;
use crate::telemetry::logs::Line;
use crate::view::{Explanation, Flow, Graph, Request, Service, Traffic};

/// The workspace that is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    pub name: String,
    pub url: String,
    /// The engine ends with this dashboard unless it is told otherwise.
    pub owned: bool,
    /// The words of the `up` that shows it, where it is one: with these it is started again.
    pub up: Option<Vec<String>>,
}

/// What can happen.
#[derive(Debug)]
pub enum Msg {
    Key(KeyEvent),
    /// What was pasted: a text, whatever is in it, and no keys.
    Paste(String),
    Mouse(MouseEvent),
    /// Rows that changed.
    Rows(Changes),
    /// How much was called.
    Flow(Flow),
    /// Lines, each with its service, of those services that were asked for.
    Lines(Vec<String>, Vec<(String, Line)>),
    /// The same of those that are shown from a time on.
    LinesFrom(Timestamp, Vec<String>, Vec<(String, Line)>),
    /// Why a service is not ready, or why that is not known.
    Why(String, Box<Result<Explanation, String>>),
    /// Who calls whom by the manifest.
    Graph(Graph),
    /// Requests that passed the proxy; all that are kept, where they are the first.
    Requests {
        first: bool,
        requests: Vec<Request>,
    },
    Routes(routes::Told),
    /// Where a path leads, and why; or why that cannot be told.
    Explained(String, Result<String, String>),
    Tasks(Result<Vec<Task>, String>),
    /// Of which tasks there are results.
    Kept(Vec<(String, Kept)>),
    /// Lines of the command of this number.
    Output(u64, Vec<String>),
    /// It has ended, with this code if by itself.
    Ended(u64, Option<i32>),
    /// What comes of attaching to a run of a service.
    Terminal(Seat, terminal::Told),
    /// Something to tell the user.
    Told(String),
    /// The engine is gone, and how it ended.
    Gone(Ending),
    /// An engine that was started from here is this dashboard's own.
    Owned,
}

/// What is to be asked of the engine or done by the loop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    Start(String),
    Stop(String),
    Restart(String),
    /// Tell where a path leads.
    Explain(String),
    /// Run a command of nagaya, which has this number.
    Run(u64, Vec<String>),
    /// Run the `up` once more that this is, as the command of this number.
    Again(u64),
    /// End the one of this number.
    EndRun(u64),
    /// Type this at the terminal that is shown.
    Type(Vec<u8>),
    /// Put a text on the clipboard.
    Copy(String),
    /// Give the terminal back until one is called again.
    Suspend,
    /// Print plain lines until a key asks for the dashboard again.
    Stream,
    /// Take the mouse, or leave it to the terminal.
    Mouse(bool),
    /// Stop everything; the dashboard stays until the engine is gone.
    Down,
    /// Kill everything.
    Kill,
    /// Leave; the engine runs on.
    Leave,
    /// Leave, as there is nothing more to see.
    Close,
}

/// What is shown, and therefore wanted from the engine as long as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wants {
    /// CPU and memory.
    pub usage: bool,
    /// The lines of these.
    pub logs: Vec<String>,
    /// From about this time on; the last ones, where none.
    pub logs_from: Option<Timestamp>,
    /// Why this one is not ready.
    pub why: Option<String>,
    /// Who calls whom, again with each number.
    pub graph: Option<u64>,
    pub requests: bool,
    pub routes: bool,
    pub tasks: bool,
    /// Of which of these tasks there are results, again with each number.
    pub kept: Option<(u64, Vec<String>)>,
    /// The terminal of this one, with so many rows and columns.
    pub terminal: Option<(Seat, (u16, u16))>,
}

/// Where keys go on the page of services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pane {
    Services,
    Logs,
}

/// What lies over the page.
#[derive(Debug, PartialEq, Eq)]
pub enum Over {
    Nothing,
    /// The keys, from this line on.
    Help(usize),
    /// "Stop or leave running?"
    Quit,
    /// Something is typed.
    Prompt(Prompt),
}

/// Everything the dashboard knows.
#[derive(Debug)]
pub struct App {
    pub workspace: Workspace,
    pub theme: Theme,
    pub keymap: Keymap,
    /// All instances, those of a service side by side.
    pub services: Vec<Service>,
    pub traffic: Traffic,
    /// The place of the selected service among all.
    pub selected: usize,
    /// Only services that have this in their names are in the table.
    pub(super) finding: String,
    pub marked: Vec<String>,
    pub trail: Trail,
    pub pane: Pane,
    pub logs: Logs,
    pub why: Why,
    pub topology: Topology,
    pub requests: Requests,
    pub routes: Routes,
    pub tasks: Tasks,
    pub outputs: Outputs,
    pub attached: Attached,
    /// The commands of nagaya, for the palette.
    pub commands: Vec<Command>,
    /// The shift that follows the one that is being made.
    pub(super) next_shift: Option<Vec<String>>,
    /// Grows when services come or go; 0 before any was told of.
    pub(super) shape: u64,
    pub over: Over,
    pub message: Option<String>,
    pub(super) doing: Option<Doing>,
    /// What the engine has to say for as long as it holds.
    pub notices: Vec<String>,
    /// A stop of everything is under way.
    pub stopping: bool,
    /// The engine has ended, and how.
    pub gone: Option<Ending>,
    /// Clicks are ours, and not the terminal's.
    pub has_mouse: bool,
    /// What is where, as last drawn.
    pub(super) spots: Spots,
    /// Where the mouse was pressed and not released yet.
    pub(super) pressed: Option<Position>,
    /// Rows of what is scrolled, as last drawn: a page is that many.
    pub page: usize,
    /// Cells of a row of a page, as last drawn.
    pub columns: u16,
    /// What becomes of the engine that is started in the place of one that was ours.
    pub(super) heir: Heir,
    /// A command has failed since the engine ended.
    pub(super) failed_since: bool,
    /// The command that ended last, and when.
    pub(super) last_end: Option<(u64, Timestamp)>,
    /// The wall time, as of what comes next; whoever runs the dashboard tells it.
    pub now: Timestamp,
    /// Of whose clock times are shown.
    pub zone: TimeZone,
    /// When what was drawn last is no longer true with time alone, as how long something has been up.
    pub redraw_at: Option<Timestamp>,
}

impl App {
    /// A dashboard that has seen nothing yet.
    pub fn new(workspace: Workspace, theme: Theme, keymap: Keymap) -> Self {
        Self {
            workspace,
            theme,
            keymap,
            services: Vec::new(),
            traffic: Traffic::default(),
            selected: 0,
            finding: String::new(),
            marked: Vec::new(),
            trail: Trail::default(),
            pane: Pane::Services,
            logs: Logs::default(),
            why: Why::default(),
            topology: Topology::default(),
            requests: Requests::default(),
            routes: Routes::default(),
            tasks: Tasks::default(),
            outputs: Outputs::default(),
            attached: Attached::default(),
            commands: Vec::new(),
            next_shift: None,
            shape: 0,
            over: Over::Nothing,
            message: None,
            doing: None,
            notices: Vec::new(),
            stopping: false,
            gone: None,
            has_mouse: true,
            spots: Spots::default(),
            pressed: None,
            page: 10,
            columns: 78,
            heir: Heir::default(),
            failed_since: false,
            last_end: None,
            now: Timestamp::UNIX_EPOCH,
            zone: TimeZone::UTC,
            redraw_at: None,
        }
    }

    /// The services, each with all its instances; tasks that no service needs are on a page of their own.
    pub fn groups(&self) -> Vec<Group<'_>> {
        let all = self.services.chunk_by(|one, other| one.name == other.name);
        all.filter(|rows| !rows.iter().all(Service::is_aside)).map(Group).collect()
    }

    /// A service by its name.
    pub fn group(&self, name: &str) -> Option<Group<'_>> {
        self.groups().into_iter().find(|group| group.name() == name)
    }

    /// The service that keys act on, here.
    pub fn subject(&self) -> Option<String> {
        match self.trail.top() {
            Page::Services => {
                self.place_shown().and_then(|_| Some(self.groups().get(self.selected)?.name().to_owned()))
            }
            Page::Logs(names) => match names.as_slice() {
                [name] => Some(name.clone()),
                _ => None,
            },
            Page::Why(name) => Some(self.why.subject().unwrap_or(name).to_owned()),
            Page::Topology => self.topology.subject(&Network::new(self)),
            Page::Trace(trace) => self.requests.served(trace).map(|(service, _)| service),
            Page::Routes => self.routes.subject(),
            Page::Terminal(name, _) => Some(name.clone()),
            Page::Requests | Page::Tasks | Page::Output => None,
        }
    }

    /// What is to be had from the engine as long as nothing else is shown.
    pub fn wants(&self) -> Wants {
        let top = self.trail.top();
        let why = match top {
            Page::Why(name) => Some(name.clone()),
            _ => None,
        };
        let types_command =
            matches!(&self.over, Over::Prompt(Prompt { what: For::Command(_), text }) if text.starts_with("run "));
        Wants {
            usage: *top == Page::Services,
            logs: self.logs.of.clone(),
            logs_from: self.logs.from,
            why,
            graph: (*top == Page::Topology).then_some(self.shape),
            requests: matches!(top, Page::Requests | Page::Trace(_)),
            routes: *top == Page::Routes,
            tasks: *top == Page::Tasks || (types_command && self.tasks.told.is_none()),
            kept: self.wants_kept(),
            terminal: self.seat(),
        }
    }

    fn wants_kept(&self) -> Option<(u64, Vec<String>)> {
        let names = if *self.trail.top() == Page::Tasks { self.tasks.keeping() } else { Vec::new() };
        (!names.is_empty()).then_some((self.tasks.runs.ended, names))
    }

    /// Goes to a page, from wherever one is.
    pub fn show(&mut self, page: Page) {
        match ROOTS.iter().any(|(root, _)| *root == page) {
            true => self.trail.go(page),
            false => self.trail.open(page),
        }
        self.follow_shown();
    }

    /// Takes in one message; what it asks for is returned.
    pub fn update(&mut self, msg: Msg) -> Option<Ask> {
        let ask = self.take(msg);
        self.follow_shown();
        ask
    }

    fn take(&mut self, msg: Msg) -> Option<Ask> {
        match msg {
            Msg::Key(key) if key.kind != KeyEventKind::Release => return self.key(key),
            Msg::Key(_) => {}
            Msg::Paste(text) => return self.paste(&text),
            Msg::Mouse(event) => return self.mouse(event),
            Msg::Rows(changes) => self.rows(changes),
            Msg::Flow(flow) => self.traffic.add(flow),
            Msg::Lines(of, lines) => self.logs.take(None, &of, lines),
            Msg::LinesFrom(time, of, lines) => self.logs.take(Some(time), &of, lines),
            Msg::Why(name, told) => self.why.told(name, *told),
            Msg::Graph(graph) => self.topology.graph = graph,
            Msg::Requests { first, requests } => self.requests.take(first, requests),
            Msg::Routes(told) => self.routes.tell(told),
            Msg::Explained(path, Ok(story)) => self.routes.explained = Some((path, story)),
            Msg::Explained(_, Err(error)) => self.message = Some(error),
            Msg::Tasks(told) => self.tasks.tell(told),
            Msg::Kept(kept) => self.tasks.runs.know(kept),
            Msg::Output(id, lines) => self.written(id, &lines),
            Msg::Ended(id, code) => return self.ended(id, code),
            Msg::Terminal(seat, told) => return self.told_of_terminal(&seat, told),
            Msg::Told(text) => self.message = Some(text),
            Msg::Gone(ending) => return self.lose(ending),
            Msg::Owned => return self.regain(),
        }
        None
    }

    fn rows(&mut self, mut changes: Changes) {
        self.find_again();
        let selected = self.groups().get(self.selected).map(|group| group.name().to_owned());
        self.notices = std::mem::take(&mut changes.notices);
        self.shape += u64::from(changes.whole);
        changes.over(&mut self.services);
        let names: Vec<String> = self.groups().iter().map(|group| group.name().to_owned()).collect();
        let again = selected.and_then(|selected| names.iter().position(|name| *name == selected));
        self.selected = again.unwrap_or(self.selected).min(names.len().saturating_sub(1));
        self.marked.retain(|name| names.contains(name));
        self.stay_shown();
    }

    /// Shows the lines of whom this page is about, where it shows lines.
    fn follow_shown(&mut self) {
        let all = || self.groups().iter().map(|group| group.name().to_owned()).collect();
        let of: Vec<String> = match self.trail.top() {
            Page::Services if !self.marked.is_empty() => self.marked.clone(),
            Page::Services => self.subject().into_iter().collect(),
            Page::Logs(names) if names.is_empty() => all(),
            Page::Logs(names) => names.clone(),
            Page::Terminal(name, _) if self.has_input() => vec![name.clone()],
            _ => return,
        };
        if of != self.logs.of {
            self.logs.switch(of);
        }
    }
}
