//! What is left to see when the engine has come to its end, and the way back to one that runs.

use super::app::{App, Ask};
use super::output::Progress;
use super::page::Page;
use super::why::Why;
use crate::supervise::State;
use crate::view::{Service, Traffic};

/// The words that start all that should run, and an engine where there is none.
const BOOT: [&str; 2] = ["up", "-d"];
/// Flags of `up` with which it does not stay to show what is shown here already.
const RETURNING: [&str; 8] =
    ["-d", "--detach", "--wait", "--dry-run", "--help", "-h", "--abort-on-failure", "--exit-code-from"];

/// How an engine came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It stopped all that it ran, as somebody asked of it.
    Proper,
    /// It was killed, and with it all that it ran.
    Killed,
}

/// What becomes of an engine that is started in the place of one that was ours.
#[derive(Debug, Default)]
pub(super) struct Heir {
    /// The command that starts it, until it has handed it over, or has ended without.
    boot: Option<u64>,
    /// It was handed over, and nothing else was heard of it yet.
    is_ours: bool,
    /// Somebody leaves as soon as it is: only an owner can have it run on.
    leaves: bool,
}

impl App {
    /// Takes in that the engine has come to its end. After a proper one there is nothing more to see.
    pub(super) fn lose(&mut self, ending: Ending) -> Option<Ask> {
        let before = self.gone.replace(ending);
        match before {
            // One that is being started may still become ours; one that was is no more.
            Some(_) => self.heir.is_ours = false,
            None => self.heir = Heir::default(),
        }
        // It is told anew to each page that asks.
        if before == Some(ending) {
            return None;
        }
        self.services.iter_mut().for_each(forget);
        self.traffic = Traffic::default();
        self.why = Why::default();
        self.notices.clear();
        // Whoever asked for the end has seen it.
        if self.stopping {
            return Some(Ask::Close);
        }
        // A command that runs has perhaps more to do: `down --volumes` has.
        (ending == Ending::Proper && !self.outputs.is_any_running()).then_some(Ask::Close)
    }

    /// Takes in that there is an engine again, which is nobody's here unless it was started as one of ours. While the
    /// command that starts it has not said so, it is taken to be: nobody leaves it or loses it unasked.
    pub(super) fn find_again(&mut self) {
        if self.gone.take().is_some() {
            let was_owned = self.workspace.owned;
            self.workspace.owned = std::mem::take(&mut self.heir.is_ours) || self.heir.boot.is_some();
            if was_owned && !self.workspace.owned {
                self.message = Some("somebody else started it again: it runs on when this dashboard ends".to_owned());
            }
            self.failed_since = false;
            // All lines are told of again, by the other one.
            let of = self.logs.of.clone();
            self.logs.switch(of);
        }
    }

    /// Takes in that the engine is ours, whether it was heard of yet or not.
    pub(super) fn regain(&mut self) -> Option<Ask> {
        let is_awaited = self.heir.boot.take().is_some();
        match self.gone {
            // What was handed over late is one that is gone already.
            Some(_) => self.heir.is_ours = is_awaited,
            None => self.workspace.owned = true,
        }
        self.leave_at_last()
    }

    /// Takes in that a command has ended: an engine that it has not handed over by now is somebody else's.
    pub(super) fn end_regaining(&mut self, id: u64) -> Option<Ask> {
        self.heir.boot.take_if(|boot| *boot == id)?;
        // Where there is none, the next one may be ours again.
        self.workspace.owned &= self.gone.is_some();
        self.leave_at_last()
    }

    /// Leaves the engine running, once it is ours where it is about to be.
    pub(super) fn leave(&mut self) -> Option<Ask> {
        if self.stopping {
            // There is nothing left to run on.
            self.tell_stopping();
            return None;
        }
        self.heir.leaves = self.heir.boot.is_some();
        if self.heir.leaves {
            self.message = Some("leaving when it has started".to_owned());
            return None;
        }
        Some(Ask::Leave)
    }

    fn leave_at_last(&mut self) -> Option<Ask> {
        let leaves = std::mem::take(&mut self.heir.leaves);
        (leaves && !self.stopping).then_some(Ask::Leave)
    }

    /// What follows the end of a command here, where the engine has ended meanwhile: any that failed is still to be read.
    pub(super) fn leave_after(&mut self) -> Option<Ask> {
        let is_over = self.gone == Some(Ending::Proper) && !self.outputs.is_any_running();
        (is_over && !self.failed_since).then_some(Ask::Close)
    }

    /// Starts what should run and does not, and the engine where that is gone.
    pub(super) fn boot(&mut self) -> Option<Ask> {
        // One that runs was told of `--build` and `--scale` when it began, and perhaps of something else since.
        let again = self.gone.and(self.workspace.up.clone());
        let is_running =
            |words: &Vec<String>| self.outputs.last_of(|it| it.is_running() && it.words == *words).is_some();
        if again.as_ref().is_some_and(is_running) {
            self.message = Some("it is being started already".to_owned());
            return None;
        }
        let ask = match again {
            Some(words) => {
                let id = self.begin(&words, false);
                self.heir = Heir { boot: self.workspace.owned.then_some(id), ..Heir::default() };
                Some(Ask::Again(id))
            }
            None => self.run(BOOT.map(str::to_owned).into(), false),
        };
        self.message =
            Some(if self.gone.is_some() { "starting it again" } else { "starting what is missing" }.to_owned());
        ask
    }

    /// Shows what a boot from here wrote that went wrong; one that went well is seen.
    pub(super) fn end_boot(&mut self, id: u64) {
        let is_boot = |words: &Vec<String>| *words == BOOT || Some(words) == self.workspace.up.as_ref();
        let Some(boot) = self.outputs.of(id).filter(|it| is_boot(&it.words)) else { return };
        self.message = None;
        if boot.progress != Progress::Ended(Some(0)) {
            self.outputs.show(id);
            self.trail.open(Page::Output);
        }
    }
}

/// The words of a command as they are run from here: an `up` that would stay to show the services leaves that to us.
pub fn returning(mut words: Vec<String>) -> Vec<String> {
    let stays = |word: &String| !RETURNING.contains(&word.split('=').next().unwrap_or(word));
    if words.first().is_some_and(|first| first == "up") && words.iter().all(stays) {
        words.insert(1, "-d".to_owned());
    }
    words
}

/// What is still true of a service when all that ran is gone.
fn forget(row: &mut Service) {
    if row.is_external() || matches!(row.state, State::Completed | State::Failed | State::Stopped) {
        return;
    }
    (row.state, row.ready, row.settled, row.crashes) = (State::Stopped, false, false, 0);
    (row.pid, row.started, row.reason) = (None, None, None);
    (row.cpu_percent, row.memory_bytes) = (None, None);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_up_from_here_comes_back() {
        let of = |text: &str| returning(text.split(' ').map(str::to_owned).collect()).join(" ");
        assert_eq!(of("up"), "up -d");
        assert_eq!(of("up web --lazy"), "up -d web --lazy");
        for whole in ["up --detach", "up web -d", "up --wait", "up --exit-code-from=web", "up --help", "ps", "ups"] {
            assert_eq!(of(whole), whole);
        }
    }
}
