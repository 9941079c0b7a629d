//! The dashboard's state, and what messages do to it.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::keys::{Action, action};
use super::logs::Logs;
use super::theme::Theme;
use crate::runtime::Changes;
use crate::telemetry::logs::Line;
use crate::view::Service;

/// The workspace that is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    pub name: String,
    pub url: String,
    /// The engine ends with this dashboard unless it is told otherwise.
    pub owned: bool,
}

/// What can happen.
#[derive(Debug)]
pub enum Msg {
    Key(KeyEvent),
    /// Rows that changed.
    Rows(Changes),
    /// Lines of a service.
    Lines(String, Vec<Line>),
    /// Something to tell the user.
    Told(String),
    /// The engine is gone.
    Gone,
}

/// What is to be asked of the engine or done by the loop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Send the lines of this service from now on.
    Follow(String),
    Start(String),
    Stop(String),
    Restart(String),
    /// Stop everything; the dashboard stays until the engine is gone.
    Down,
    /// Kill everything.
    Kill,
    /// Leave; the engine runs on.
    Leave,
    /// Leave, as there is nothing more to see.
    Close,
}

/// Where keys go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pane {
    Services,
    Logs,
}

/// What lies over the panes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Over {
    Nothing,
    Help,
    /// "Stop or leave running?"
    Quit,
    /// The search prompt, with what is typed so far.
    Search(String),
}

/// Everything the dashboard knows.
#[derive(Debug)]
pub struct App {
    pub workspace: Workspace,
    pub theme: Theme,
    pub services: Vec<Service>,
    pub selected: usize,
    pub pane: Pane,
    pub zoomed: bool,
    pub logs: Logs,
    pub over: Over,
    pub message: Option<String>,
    /// What the engine has to say for as long as it holds.
    pub notices: Vec<String>,
    /// A stop of everything is under way.
    pub stopping: bool,
    pub gone: bool,
    /// Rows of the log pane, as last drawn: a page is that many.
    pub page: usize,
}

impl App {
    /// A dashboard that has seen nothing yet.
    pub fn new(workspace: Workspace, theme: Theme) -> Self {
        Self {
            workspace,
            theme,
            services: Vec::new(),
            selected: 0,
            pane: Pane::Services,
            zoomed: false,
            logs: Logs::default(),
            over: Over::Nothing,
            message: None,
            notices: Vec::new(),
            stopping: false,
            gone: false,
            page: 10,
        }
    }

    /// The selected service.
    pub fn service(&self) -> Option<&Service> {
        self.services.get(self.selected)
    }

    /// Takes in one message; what it asks for is returned.
    pub fn update(&mut self, msg: Msg) -> Option<Ask> {
        match msg {
            Msg::Key(key) if key.kind != KeyEventKind::Release => self.key(key),
            Msg::Key(_) => None,
            Msg::Rows(changes) => self.rows(changes),
            Msg::Lines(service, lines) => {
                if self.logs.service.as_ref() == Some(&service) {
                    self.logs.add(&lines);
                }
                None
            }
            Msg::Told(text) => {
                self.message = Some(text);
                None
            }
            Msg::Gone => {
                self.gone = true;
                // Whoever asked for the end has seen it; whoever did not should be told.
                self.stopping.then_some(Ask::Close)
            }
        }
    }

    fn rows(&mut self, changes: Changes) -> Option<Ask> {
        let selected = self.service().map(|service| (service.name.clone(), service.instance));
        self.notices = changes.notices;
        if changes.whole {
            self.services = changes.services;
        } else {
            for row in changes.services {
                match self.services.iter_mut().find(|known| known.id() == row.id()) {
                    Some(known) => *known = row,
                    None => self.services.push(row),
                }
            }
        }
        let again = selected.and_then(|(name, instance)| {
            let place = |wanted: &dyn Fn(&Service) -> bool| self.services.iter().position(wanted);
            place(&|row| row.id() == (&name, instance)).or_else(|| place(&|row| row.name == name))
        });
        self.selected = again.unwrap_or(self.selected).min(self.services.len().saturating_sub(1));
        self.follow_selected()
    }

    /// Has the lines of the selected service sent, where they are not already.
    fn follow_selected(&mut self) -> Option<Ask> {
        let name = self.service()?.name.clone();
        if self.logs.service.as_ref() == Some(&name) {
            return None;
        }
        self.logs.switch(&name);
        Some(Ask::Follow(name))
    }

    fn key(&mut self, key: KeyEvent) -> Option<Ask> {
        self.message = None;
        match std::mem::replace(&mut self.over, Over::Nothing) {
            Over::Search(typed) => {
                self.search_key(key, typed);
                None
            }
            Over::Quit => self.quit_key(key),
            Over::Help => None,
            Over::Nothing => self.act(action(key)?),
        }
    }

    fn search_key(&mut self, key: KeyEvent, mut typed: String) {
        match key.code {
            KeyCode::Esc => self.logs.search = None,
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => self.logs.search = None,
            KeyCode::Enter => {
                self.logs.search_for(&typed);
                if self.logs.search.is_some() && self.logs.matches() == 0 {
                    self.message = Some(format!("nothing matches `{typed}`"));
                }
            }
            KeyCode::Backspace => {
                typed.pop();
                self.over = Over::Search(typed);
            }
            KeyCode::Char(c) => {
                typed.push(c);
                self.over = Over::Search(typed);
            }
            _ => self.over = Over::Search(typed),
        }
    }

    fn quit_key(&mut self, key: KeyEvent) -> Option<Ask> {
        match key.code {
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => self.end(),
            KeyCode::Char('s' | 'S' | 'y') | KeyCode::Enter => self.end(),
            KeyCode::Char('l' | 'L' | 'd') => Some(Ask::Leave),
            KeyCode::Esc | KeyCode::Char('n' | 'q') => None,
            _ => {
                self.over = Over::Quit;
                None
            }
        }
    }

    /// Stops everything; asked again, kills.
    fn end(&mut self) -> Option<Ask> {
        if std::mem::replace(&mut self.stopping, true) {
            self.message = Some("killing".to_owned());
            return Some(Ask::Kill);
        }
        self.message = Some("stopping everything; Ctrl-c kills".to_owned());
        Some(Ask::Down)
    }

    fn act(&mut self, action: Action) -> Option<Ask> {
        if self.gone {
            // There is nobody left to ask; any way out is the way out.
            return matches!(action, Action::Quit | Action::Interrupt | Action::Back).then_some(Ask::Close);
        }
        let page = isize::try_from(self.page).unwrap_or(isize::MAX);
        match action {
            Action::Up => return self.go(-1),
            Action::Down => return self.go(1),
            Action::PageUp => return self.go(-page),
            Action::PageDown => return self.go(page),
            Action::Top if self.in_logs() => self.logs.top(self.page),
            Action::Top => return self.go(isize::MIN),
            Action::Bottom if self.in_logs() => self.logs.follow(),
            Action::Bottom => return self.go(isize::MAX),
            Action::SwitchPane if !self.zoomed => {
                self.pane = if self.pane == Pane::Services { Pane::Logs } else { Pane::Services };
            }
            Action::SwitchPane => {}
            Action::Zoom => self.zoomed = !self.zoomed,
            Action::Back => self.back(),
            Action::Search => self.over = Over::Search(String::new()),
            Action::NextMatch => self.go_to_match(true),
            Action::PreviousMatch => self.go_to_match(false),
            Action::Follow => self.logs.toggle_follow(),
            Action::Wrap => self.logs.wrap = !self.logs.wrap,
            Action::Start => return self.service().map(|row| Ask::Start(row.name.clone())),
            Action::Stop => return self.service().map(|row| Ask::Stop(row.name.clone())),
            Action::Restart => return self.service().map(|row| Ask::Restart(row.name.clone())),
            Action::Help => self.over = Over::Help,
            Action::Quit if self.workspace.owned => self.over = Over::Quit,
            Action::Interrupt if self.workspace.owned => return self.end(),
            Action::Quit | Action::Interrupt => return Some(Ask::Leave),
        }
        None
    }

    /// Whether movement is about lines.
    pub fn in_logs(&self) -> bool {
        self.zoomed || self.pane == Pane::Logs
    }

    fn go(&mut self, by: isize) -> Option<Ask> {
        if self.in_logs() {
            self.logs.scroll(by);
            return None;
        }
        let last = self.services.len().saturating_sub(1);
        self.selected = self.selected.saturating_add_signed(by).min(last);
        self.follow_selected()
    }

    /// One step out: of a search, of the zoom, of the logs.
    fn back(&mut self) {
        if self.logs.search.take().is_some() {
            return;
        }
        if std::mem::replace(&mut self.zoomed, false) {
            return;
        }
        self.pane = Pane::Services;
    }

    fn go_to_match(&mut self, forward: bool) {
        if self.logs.search.is_none() {
            self.message = Some("nothing is searched for; `/` does".to_owned());
        } else if !self.logs.find(forward, false) {
            self.message = Some("no more matches in that direction".to_owned());
        }
    }
}
