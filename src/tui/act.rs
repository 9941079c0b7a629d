//! What keys do.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::app::{App, Ask, Over, Pane};
use super::keys::{Action, Place};
use super::network::Network;
use super::output::Output;
use super::page::{Page, ROOTS};
use super::prompt::{For, Prompt};

impl App {
    /// Takes a key.
    pub(super) fn key(&mut self, key: KeyEvent) -> Option<Ask> {
        self.message = None;
        match std::mem::replace(&mut self.over, Over::Nothing) {
            Over::Prompt(prompt) => self.type_key(prompt, key),
            Over::Quit => self.quit_key(key),
            Over::Help(from) => {
                self.help_key(from, key);
                None
            }
            Over::Nothing if self.keys_are_of().is_some() => self.type_there(key),
            Over::Nothing => self.act(self.keymap.action(self.place(), key)?),
        }
    }

    /// Where keys go.
    pub fn place(&self) -> Place {
        if self.in_logs() { Place::Logs } else { self.trail.top().place() }
    }

    /// Whether movement is about lines of services.
    pub fn in_logs(&self) -> bool {
        match self.trail.top() {
            Page::Logs(_) => true,
            Page::Services => self.pane == Pane::Logs,
            _ => false,
        }
    }

    fn help_key(&mut self, from: usize, key: KeyEvent) {
        let to = match self.keymap.action(self.place(), key) {
            Some(Action::Down) => from + 1,
            Some(Action::Up) => from.saturating_sub(1),
            Some(Action::PageDown) => from + 10,
            Some(Action::PageUp) => from.saturating_sub(10),
            _ => return,
        };
        self.over = Over::Help(self.help_at(to));
    }

    /// A line of the help, or the last one.
    pub(super) fn help_at(&self, line: usize) -> usize {
        line.min(self.keymap.help(self.place()).len().saturating_sub(1))
    }

    fn quit_key(&mut self, key: KeyEvent) -> Option<Ask> {
        match key.code {
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => self.end(),
            KeyCode::Char('s' | 'S' | 'y') | KeyCode::Enter => self.end(),
            KeyCode::Char('l' | 'L' | 'd') => self.leave(),
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
        self.tell_stopping();
        Some(Ask::Down)
    }

    pub(super) fn tell_stopping(&mut self) {
        self.message = Some("stopping everything; Ctrl-c kills".to_owned());
    }

    /// What Ctrl-C does wherever no command runs here: all is stopped where it is ours, and else we leave.
    pub fn interrupt(&mut self) -> Option<Ask> {
        match (self.gone.is_some(), self.workspace.owned) {
            (true, _) => Some(Ask::Close),
            (false, true) => self.end(),
            (false, false) => Some(Ask::Leave),
        }
    }

    /// Whether a key leads from plain lines back to the dashboard.
    pub fn leads_back(&self, key: KeyEvent) -> bool {
        key.code == KeyCode::Enter
            || matches!(self.keymap.action(self.place(), key), Some(Action::Stream | Action::Back | Action::Quit))
    }

    /// The key that does.
    pub fn key_back(&self) -> String {
        self.keymap.first(self.place(), Action::Stream)
    }

    pub(super) fn act(&mut self, action: Action) -> Option<Ask> {
        let page = isize::try_from(self.page).unwrap_or(isize::MAX);
        match action {
            Action::Up => self.go(-1),
            Action::Down => self.go(1),
            Action::PageUp => self.go(-page),
            Action::PageDown => self.go(page),
            Action::Top => self.go(isize::MIN),
            Action::Bottom => self.go(isize::MAX),
            Action::Left | Action::Right => return self.aside(action == Action::Right),
            Action::Open => return self.open(),
            Action::Back | Action::Detach => return self.back(),

            Action::Go(number) => {
                if let Some((root, _)) = ROOTS.get(number) {
                    self.trail.go(root.clone());
                }
            }
            Action::Help => self.over = Over::Help(0),
            Action::Palette => self.prompt(For::Command(0)),
            Action::Copy => return self.copy(),
            Action::Suspend => return Some(Ask::Suspend),
            Action::Mouse => return Some(self.toggle_mouse()),
            Action::Interrupt if self.running_here().is_some() => return self.running_here().map(Ask::EndRun),
            Action::Interrupt if self.comes_late() => self.tell_late(),
            Action::Quit | Action::Interrupt if self.gone.is_some() => return Some(Ask::Close),
            Action::Start | Action::Stop | Action::Restart | Action::Attach | Action::Stream if self.gone.is_some() => {
                self.refuse_without_engine();
            }
            Action::Boot => return self.boot(),
            Action::Attach => match self.subject() {
                Some(name) => self.attach(&name, None),
                None => self.message = Some("no service is selected here".to_owned()),
            },
            Action::Stream => return Some(Ask::Stream),
            Action::Start => return self.about_service("starting", Ask::Start),
            Action::Stop => return self.about_service("stopping", Ask::Stop),
            Action::Restart => return self.about_service("restarting", Ask::Restart),
            Action::Quit if self.stopping => self.tell_stopping(),
            Action::Quit if self.workspace.owned => self.over = Over::Quit,
            Action::Quit => return Some(Ask::Leave),
            Action::Interrupt => return self.interrupt(),
            other => self.look(other),
        }
        None
    }

    /// What changes only what is seen.
    fn look(&mut self, action: Action) {
        match action {
            Action::SwitchPane if *self.trail.top() == Page::Services => {
                self.pane = if self.pane == Pane::Services { Pane::Logs } else { Pane::Services };
            }
            Action::Mark => self.mark(),
            Action::Why => self.open_why(),
            Action::Trouble => self.go_to_trouble(),
            Action::Find => self.prompt(For::Service),
            Action::Search => self.prompt(For::Search),
            Action::Filter if *self.trail.top() == Page::Routes => self.prompt(For::Path),
            Action::Filter => self.prompt(For::Filter),
            Action::NextMatch => self.go_to_match(true),
            Action::PreviousMatch => self.go_to_match(false),
            Action::Follow if *self.trail.top() == Page::Requests => self.requests.toggle_follow(),
            Action::Follow => self.logs.toggle_follow(),
            Action::Wrap => self.logs.wrap = !self.logs.wrap,
            Action::Times => self.logs.without_times = !self.logs.without_times,
            Action::Pretty => self.logs.pretty = !self.logs.pretty,
            Action::Level => self.message = Some(format!("lines: {}", self.logs.next_level())),
            Action::AsList => self.message = self.topology.toggle_list(),
            Action::Output => self.open_output(),
            _ => {}
        }
    }

    fn toggle_mouse(&mut self) -> Ask {
        self.has_mouse = !self.has_mouse;
        let key = self.keymap.first(self.place(), Action::Mouse);
        self.message = Some(match self.has_mouse {
            true => format!("clicks select here; {key} leaves the mouse to the terminal"),
            false => format!("the mouse is the terminal's; {key} has clicks select here"),
        });
        Ask::Mouse(self.has_mouse)
    }

    fn prompt(&mut self, what: For) {
        self.over = Over::Prompt(Prompt::new(what));
    }

    fn aside(&mut self, is_right: bool) -> Option<Ask> {
        match self.trail.top() {
            Page::Topology => {
                let network = Network::new(self);
                self.topology.along(&network, is_right);
                None
            }
            Page::Routes => self.shift_aside(is_right),
            _ => None,
        }
    }

    fn copy(&mut self) -> Option<Ask> {
        let text = match self.trail.top() {
            _ if self.in_logs() => self.logs.selected(),
            Page::Services => self.subject().map(|name| {
                let url = self.group(&name).and_then(|group| group.lead()?.front_door().map(str::to_owned));
                url.unwrap_or(name)
            }),
            Page::Requests => self.requests.id(),
            Page::Trace(trace) => Some(trace.clone()),
            Page::Routes => self.routes.path(),
            Page::Tasks => self.tasks.open(),
            Page::Output => self.outputs.shown().map(Output::all),
            Page::Terminal(..) => Some(self.attached.text()),
            Page::Why(_) | Page::Topology | Page::Logs(_) => self.subject(),
        };
        let first = text.as_ref()?.lines().next().unwrap_or_default();
        self.message = Some(match text.as_ref()?.lines().count() {
            0 | 1 => format!("copied: {first}"),
            count => format!("copied {count} lines: {first}"),
        });
        text.map(Ask::Copy)
    }

    pub(super) fn go(&mut self, by: isize) {
        if self.in_logs() {
            return match by {
                isize::MIN => self.logs.top(self.page),
                isize::MAX => self.logs.follow(),
                by => self.logs.scroll(by),
            };
        }
        match self.trail.top() {
            Page::Services => self.go_services(by),
            Page::Why(_) => self.why.go(by),
            Page::Topology => {
                let network = Network::new(self);
                self.topology.go(&network, by);
            }
            Page::Requests => self.requests.go(by),
            Page::Trace(trace) => self.requests.go_in(trace, by),
            Page::Routes => self.routes.go(by),
            Page::Tasks => self.tasks.go(by),
            Page::Output => self.outputs.go(by, self.page),
            Page::Terminal(..) => self.attached.scroll(by),
            Page::Logs(_) => {}
        }
    }

    fn open(&mut self) -> Option<Ask> {
        match self.trail.top() {
            Page::Services => self.trail.open(Page::Logs(self.logs.of.clone())),
            Page::Trace(trace) => {
                let mark = self.requests.mark(trace);
                if let Some(name) = self.subject().filter(|name| self.group(name).is_some()) {
                    self.trail.open(Page::Logs(vec![name.clone()]));
                    mark.into_iter().for_each(|mark| self.logs.switch_to(vec![name.clone()], mark));
                }
            }
            Page::Why(_) | Page::Topology => {
                if let Some(name) = self.subject().filter(|name| self.group(name).is_some()) {
                    self.trail.open(Page::Logs(vec![name]));
                }
            }
            Page::Requests => {
                if let Some(trace) = self.requests.open() {
                    self.trail.open(Page::Trace(trace));
                }
            }
            Page::Routes if self.routes.is_share() => self.prompt(For::Share),
            Page::Routes => return self.routes.path().map(Ask::Explain),
            Page::Tasks => return self.run_task(),
            Page::Logs(_) | Page::Output | Page::Terminal(..) => {}
        }
        None
    }

    fn open_why(&mut self) {
        match self.subject() {
            Some(name) => self.trail.open(Page::Why(name)),
            None => self.message = Some("no service is selected here".to_owned()),
        }
    }

    /// Selects the next service that fails, from wherever one is; after the last one the first again.
    fn go_to_trouble(&mut self) {
        let groups = self.groups();
        let count = groups.len();
        let from = if *self.trail.top() == Page::Services { self.selected + 1 } else { 0 };
        let next = (from..from + count).map(|place| place % count).find(|place| groups[*place].fails());
        match next {
            Some(place) => {
                self.trail.go(Page::Services);
                self.pane = Pane::Services;
                self.select_service(place);
            }
            None => self.message = Some("no service fails".to_owned()),
        }
    }

    fn mark(&mut self) {
        let Some(name) = self.subject() else { return };
        match self.marked.iter().position(|marked| *marked == name) {
            Some(at) => drop(self.marked.remove(at)),
            None => self.marked.push(name),
        }
    }

    /// One step out: of a search, of this page, of the lines, of the marks.
    fn back(&mut self) -> Option<Ask> {
        let is_search_over = *self.trail.top() == Page::Output && self.outputs.search.take().is_some();
        if is_search_over || (self.in_logs() && self.logs.unwind()) {
            return None;
        }
        if self.trail.back() {
            return None;
        }
        match self.trail.top() {
            Page::Requests if self.requests.filter.is_some() => self.requests.keep(""),
            Page::Tasks if !self.tasks.filter.is_empty() => self.tasks.keep(""),
            Page::Routes if self.routes.explained.is_some() => self.routes.explained = None,
            Page::Services if self.pane == Pane::Logs => self.pane = Pane::Services,
            Page::Services if !self.finding.is_empty() => self.find_services(""),
            Page::Services => self.marked.clear(),
            _ => self.trail.go(Page::Services),
        }
        None
    }

    fn go_to_match(&mut self, forward: bool) {
        let is_output = *self.trail.top() == Page::Output;
        let has_search = if is_output { self.outputs.search.is_some() } else { self.logs.search.is_some() };
        if !has_search {
            self.message = Some("nothing is searched for; `/` does".to_owned());
        } else if !(if is_output { self.outputs.find(forward, false) } else { self.logs.find(forward, false) }) {
            self.message = Some("no more matches in that direction".to_owned());
        }
    }
}
