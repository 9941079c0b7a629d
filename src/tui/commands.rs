//! Commands of nagaya that are started from here. They do not wait for each other.

use jiff::SignedDuration;

use super::app::{App, Ask};
use super::ending::returning;
use super::keys::Action;
use super::output::Output;
use super::page::Page;

/// What is pressed so long after the end of a run was meant for that.
const LATE: SignedDuration = SignedDuration::from_secs(1);

impl App {
    /// Runs a command of nagaya; where its output is to be seen, on its page.
    pub(super) fn run(&mut self, words: Vec<String>, show: bool) -> Option<Ask> {
        let words = returning(words);
        Some(Ask::Run(self.begin(&words, show), words))
    }

    /// Has room for a command; its number.
    pub(super) fn begin(&mut self, words: &[String], show: bool) -> u64 {
        let id = self.outputs.begin(words, show || *self.trail.top() != Page::Output);
        self.tasks.runs.begin(id, words);
        if show {
            self.trail.open(Page::Output);
        }
        id
    }

    /// Runs the selected task; one that runs already is looked at.
    pub(super) fn run_task(&mut self) -> Option<Ask> {
        let Some(task) = self.tasks.open() else {
            self.message = self.tasks.told.is_none().then(|| "the tasks are not listed yet".to_owned());
            return None;
        };
        let running = self.outputs.last_of(|it| it.is_running() && it.is_run_of(&task)).map(|it| it.id);
        match running {
            Some(id) => {
                self.show_output(id);
                None
            }
            None => self.run(vec!["run".to_owned(), task], true),
        }
    }

    fn show_output(&mut self, id: u64) {
        self.outputs.show(id);
        self.trail.open(Page::Output);
    }

    /// Goes to what the selected task wrote when it was run from here; elsewhere to what the last command wrote, then to
    /// that of the one before it.
    pub(super) fn open_output(&mut self) {
        let (id, none) = match self.trail.top() {
            Page::Tasks => {
                let task = self.tasks.open().unwrap_or_default();
                (self.outputs.last_of(|it| it.is_run_of(&task)).map(|it| it.id), "this task was not run from here")
            }
            Page::Output => (self.outputs.before(), "nothing was run from here yet"),
            _ => (self.outputs.last_of(|_| true).map(|it| it.id), "nothing was run from here yet"),
        };
        match id {
            Some(id) => self.show_output(id),
            None => self.message = Some(none.to_owned()),
        }
    }

    /// The number of the command that is shown and still runs.
    pub(super) fn running_here(&self) -> Option<u64> {
        let shown = self.outputs.shown().filter(|_| *self.trail.top() == Page::Output)?;
        shown.is_running().then_some(shown.id)
    }

    /// Whether what is shown has ended so short a time ago that somebody may mean it who presses a key now.
    pub(super) fn comes_late(&self) -> bool {
        let is_shown =
            |id: u64| *self.trail.top() == Page::Output && self.outputs.shown().is_some_and(|it| it.id == id);
        // A clock that was set back tells of no end that is to come.
        let is_late = |at| (SignedDuration::ZERO..LATE).contains(&self.now.duration_since(at));
        self.last_end.is_some_and(|(id, at)| is_shown(id) && is_late(at))
    }

    /// Says what a key that came late has not done.
    pub(super) fn tell_late(&mut self) {
        let title = self.outputs.shown().map(Output::title).unwrap_or_default();
        let key = self.keymap.first(self.place(), Action::Interrupt);
        let does = if self.workspace.owned && self.gone.is_none() { "stops everything" } else { "leaves" };
        self.message = Some(format!("`{title}` had ended already; a later {key} {does}"));
    }

    /// Takes in lines of a command.
    pub(super) fn written(&mut self, id: u64, lines: &[String]) {
        self.outputs.add(id, lines);
        self.tasks.hear(id, lines);
    }

    /// Takes in that a command has ended, with this code if by itself.
    pub(super) fn ended(&mut self, id: u64, code: Option<i32>) -> Option<Ask> {
        self.outputs.end(id, code);
        self.tasks.runs.end(id, code);
        self.last_end = Some((id, self.now));
        self.failed_since |= self.gone.is_some() && code != Some(0);
        if let Some(leave) = self.end_regaining(id) {
            return Some(leave);
        }
        let output = self.outputs.of(id)?;
        let is_shown = self.outputs.shown().is_some_and(|it| it.id == id);
        let was_shift = output.words.first().is_some_and(|word| word == "shift");
        match self.trail.top() {
            Page::Output if is_shown => {}
            // It is told beside its task.
            Page::Tasks => {}
            _ => self.message = output.last().map(str::to_owned),
        }
        self.end_boot(id);
        match self.next_shift.take_if(|_| was_shift) {
            Some(next) => self.run(next, false),
            None => self.leave_after(),
        }
    }

    /// Moves the share of the selected version of a service.
    pub(super) fn shift_aside(&mut self, is_right: bool) -> Option<Ask> {
        let words = self.routes.shift(is_right);
        self.shift(words)
    }

    /// Has a shift made; the last one of those that are asked for while one is under way.
    pub(super) fn shift(&mut self, words: Option<Vec<String>>) -> Option<Ask> {
        let Some(words) = words else {
            self.message = Some("a version of a service has a share; none is selected".to_owned());
            return None;
        };
        let is_shift = |words: &[String]| words.first().is_some_and(|word| word == "shift");
        if self.outputs.last_of(|it| it.is_running() && is_shift(&it.words)).is_some() {
            self.next_shift = Some(words);
            return None;
        }
        self.run(words, false)
    }

    /// What there is no engine for.
    pub(super) fn refuse_without_engine(&mut self) {
        let key = self.keymap.first(self.place(), Action::Boot);
        self.message = Some(format!("the engine is gone; {key} starts it again"));
    }
}
