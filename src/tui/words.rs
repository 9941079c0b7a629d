//! What is and what changes, said in lines: for whoever listens instead of looking.

use super::text::clean;
use crate::runtime::Changes;
use crate::supervise::State;
use crate::telemetry::logs::Line;
use crate::view::{Service, label};

/// What has been said so far.
#[derive(Debug)]
pub struct Words {
    workspace: String,
    rows: Vec<Service>,
    notices: Vec<String>,
    has_begun: bool,
}

/// What can be typed besides commands of nagaya.
pub const HELP: [&str; 7] = [
    "Any command of nagaya is typed as on the command line, without the word nagaya: ps, why web, logs -n 20 web, restart web.",
    "follow, with services or alone: says what they write from now on. quiet: no longer.",
    "an empty line: how things stand.",
    "cancel: ends the command that runs.",
    "help: this. `--help` behind a command tells of it.",
    "quit, or the end of what is typed: leaves; the workspace runs on. The up that started it is asked first, and stays.",
    "Changes of services are said as they happen, a line each.",
];

impl Words {
    /// Nothing of a workspace has been said yet.
    pub fn new(workspace: &str) -> Self {
        Self { workspace: workspace.to_owned(), rows: Vec::new(), notices: Vec::new(), has_begun: false }
    }

    /// The services by name.
    pub fn services(&self) -> Vec<String> {
        let mut names: Vec<String> = self.rows.iter().map(|row| row.name.clone()).collect();
        names.dedup();
        names
    }

    /// Services run, or should: an engine that ends now was not asked to.
    pub fn is_alive(&self) -> bool {
        self.rows.iter().any(|row| row.wanted && !matches!(row.state, State::Stopping | State::Stopped))
    }

    /// How things stand: a line for all, and one for each that is not well.
    pub fn summary(&self) -> Vec<String> {
        let wanted: Vec<&Service> = self.rows.iter().filter(|row| row.wanted).collect();
        let unwell: Vec<&&Service> = wanted.iter().filter(|row| !row.settled).collect();
        let well = wanted.len() - unwell.len();
        let head = match wanted.len() {
            1 => format!("{}: {well} of 1 instance is as it should be", self.workspace),
            all => format!("{}: {well} of {all} instances are as they should be", self.workspace),
        };
        let notices = self.notices.iter().map(|notice| clean(notice.lines().next().unwrap_or_default()));
        std::iter::once(head).chain(unwell.into_iter().map(|row| sentence(row))).chain(notices).collect()
    }

    /// Takes in a change, and says what there is to say of it: the first time, how things stand.
    pub fn hear(&mut self, mut changes: Changes) -> Vec<String> {
        let before = self.rows.clone();
        let notices = std::mem::take(&mut changes.notices);
        changes.over(&mut self.rows);
        if !std::mem::replace(&mut self.has_begun, true) {
            self.notices = notices;
            return self.summary();
        }
        let mut out = Vec::new();
        for row in &self.rows {
            let known = before.iter().find(|known| known.id() == row.id());
            let is_new = known.is_none_or(|known| known.state != row.state || known.reason != row.reason);
            // What is on its way is told of once it has arrived.
            let is_passing = matches!(row.state, State::Waiting | State::Starting | State::Stopping);
            if is_new && !is_passing {
                out.push(sentence(row));
            }
        }
        let gone = before.iter().filter(|known| !self.rows.iter().any(|row| row.id() == known.id()));
        out.extend(gone.map(|row| format!("{} is gone", row.label())));
        let fresh = notices.iter().filter(|notice| !self.notices.contains(notice));
        out.extend(fresh.map(|notice| clean(notice.lines().next().unwrap_or_default())));
        self.notices = notices;
        if is_well(&self.rows) && !is_well(&before) {
            let wanted = self.rows.iter().filter(|row| row.wanted).count();
            out.push(match wanted {
                1 => format!("{}: its instance is as it should be", self.workspace),
                all => format!("{}: all {all} instances are as they should be", self.workspace),
            });
        }
        out
    }
}

/// What a service writes, as a line that is said.
pub fn spoken(service: &str, line: &Line) -> String {
    format!("{}: {}", label(service, line.instance), clean(&line.text))
}

fn is_well(rows: &[Service]) -> bool {
    rows.iter().filter(|row| row.wanted).all(|row| row.settled)
}

fn sentence(row: &Service) -> String {
    let reason = row.reason.as_deref().map(|reason| format!(": {}", clean(reason))).unwrap_or_default();
    format!("{} {}{reason}", row.label(), row.state.said())
}
