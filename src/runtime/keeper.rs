//! Changes of dtabs on their way: one is on its way to the disk at a time, off the loop, and the others wait their turn.
//! Nobody sees one before it is written down.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use super::Problem;
use crate::dtab::Dtab;
use crate::effects::clock;
use crate::effects::ledger::Ledger;
use crate::effects::places::Home;
use crate::route::history::{Action, Author, Change, Current, Decision, Dtabs, MANIFEST, Record, Refused};

/// Who waits for a change; the answer is the dtab that there is then, if there is one.
pub type Waiting = oneshot::Sender<Result<Current, Problem>>;

/// Keeps the dtabs and their history.
#[derive(Debug)]
pub(super) struct Keeper {
    dtabs: watch::Sender<Arc<Dtabs>>,
    /// Away while something is written.
    ledger: Option<Ledger>,
    queue: VecDeque<(Change, Waiting)>,
    written: mpsc::UnboundedSender<Written>,
}

/// A change that has been to the disk.
pub(super) struct Written {
    ledger: Ledger,
    record: Record,
    result: io::Result<()>,
    waiting: Waiting,
}

/// The manifest's word, as a change.
pub(super) fn of_manifest(routes: Dtab) -> Change {
    Change { namespace: None, who: Author::manifest(), action: Action::Manifest(routes) }
}

impl Keeper {
    /// Reads the history of a workspace and lays the manifest's routes over it, where they are new. What was written
    /// comes back through `written`. The texts are for the user.
    pub(super) fn open(home: &Home, manifest: Dtab, written: mpsc::UnboundedSender<Written>) -> (Self, Vec<String>) {
        let (mut ledger, mut dtabs, mut notices) = Ledger::open(home.routes());
        if let Ok(Decision::Write(record)) = dtabs.decide(&of_manifest(manifest), &now()) {
            if let Err(error) = ledger.append(&record) {
                notices.push(format!("the manifest's routes are in force, but cannot be written down: {error}"));
            }
            let _ = dtabs.accept(&record);
        }
        let dtabs = watch::Sender::new(Arc::new(dtabs));
        (Self { dtabs, ledger: Some(ledger), queue: VecDeque::new(), written }, notices)
    }

    /// All dtabs, as they will be.
    pub(super) fn dtabs(&self) -> watch::Receiver<Arc<Dtabs>> {
        self.dtabs.subscribe()
    }

    /// The workspace's routes now.
    pub(super) fn routes(&self) -> Dtab {
        self.dtabs.borrow().routes()
    }

    /// Makes a change as soon as those before it are made.
    pub(super) fn change(&mut self, change: Change, waiting: Waiting) {
        self.queue.push_back((change, waiting));
        self.next();
    }

    /// Sends the next change to the disk; those that come to nothing are answered on the way.
    fn next(&mut self) {
        while let Some(mut ledger) = self.ledger.take() {
            let Some((change, waiting)) = self.queue.pop_front() else {
                self.ledger = Some(ledger);
                return;
            };
            let decision = self.dtabs.borrow().decide(&change, &now());
            match decision {
                Ok(Decision::Write(record)) => {
                    let written = self.written.clone();
                    tokio::task::spawn_blocking(move || {
                        let result = ledger.append(&record);
                        let _ = written.send(Written { ledger, record, result, waiting });
                    });
                }
                Ok(Decision::Nothing) => {
                    self.ledger = Some(ledger);
                    let _ = waiting.send(Ok(self.dtabs.borrow().own()));
                }
                Err(refused) => {
                    self.ledger = Some(ledger);
                    let _ = waiting.send(Err(refused.into()));
                }
            }
        }
    }

    /// Takes in what was written. `publish` is given the workspace's routes where they have changed, and is done before
    /// whoever waits is answered.
    pub(super) fn take(&mut self, written: Written, publish: impl FnOnce(Dtab)) {
        let Written { ledger, record, result, waiting } = written;
        self.ledger = Some(ledger);
        let answer = match result {
            Ok(()) => self.accept(&record),
            // What the manifest says holds in any case: it will be read again.
            Err(_) if record.who == MANIFEST => self.accept(&record),
            Err(error) => Err(Refused::NotKept { message: error.to_string() }),
        };
        if answer.is_ok() && record.namespace.is_none() {
            publish(self.routes());
        }
        let _ = waiting.send(answer.map_err(Problem::from));
        self.next();
    }

    fn accept(&self, record: &Record) -> Result<Current, Refused> {
        let mut dtabs = (**self.dtabs.borrow()).clone();
        dtabs.accept(record)?;
        let current = dtabs.latest(record.namespace.as_deref());
        self.dtabs.send_replace(Arc::new(dtabs));
        Ok(current)
    }
}

fn now() -> String {
    format!("{:.6}", clock::utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Kept {
        _folder: tempfile::TempDir,
        keeper: Keeper,
        written: mpsc::UnboundedReceiver<Written>,
        published: Vec<Dtab>,
    }

    impl Kept {
        fn new(manifest: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let home = Home { id: String::new(), state: folder.path().to_owned(), socket: Default::default() };
            let (sender, written) = mpsc::unbounded_channel();
            let (keeper, notices) = Keeper::open(&home, manifest.parse().unwrap(), sender);
            assert_eq!(notices, [""; 0]);
            Self { _folder: folder, keeper, written, published: Vec::new() }
        }

        fn ask(&mut self, dtab: &str, if_version: Option<u64>) -> oneshot::Receiver<Result<Current, Problem>> {
            let action = Action::Put { dtab: dtab.parse().unwrap(), if_version };
            let (waiting, answer) = oneshot::channel();
            self.keeper.change(Change { namespace: None, who: Author::new("me"), action }, waiting);
            answer
        }

        /// What the loop does when something was written.
        async fn take(&mut self) {
            let written = self.written.recv().await.unwrap();
            self.keeper.take(written, |dtab| self.published.push(dtab));
        }
    }

    #[tokio::test]
    async fn who_is_answered_finds_the_change_in_force() {
        let mut kept = Kept::new("");
        let dtabs = kept.keeper.dtabs();
        for number in 1..=1000 {
            let text = format!("/svc/users=>/#/local/users-v{number}");
            let mut answer = kept.ask(&text, Some(number - 1));
            assert!(answer.try_recv().is_err() && dtabs.borrow().own().version == number - 1, "it is not written yet");
            kept.take().await;
            // Without any waiting in between.
            assert_eq!(answer.try_recv().unwrap().unwrap().version, number);
            assert_eq!(dtabs.borrow().own().version, number);
            assert_eq!(kept.published.last().unwrap().to_string(), text);
        }
    }

    #[tokio::test]
    async fn changes_that_come_together_are_made_in_turn() {
        let mut kept = Kept::new("/a=>/1");
        assert_eq!(kept.keeper.routes().to_string(), "/a=>/1");
        let answers = [kept.ask("/a=>/2", Some(1)), kept.ask("/a=>/3", Some(1)), kept.ask("/a=>/4", None)];
        kept.take().await;
        kept.take().await;
        let [first, second, third] = answers.map(|mut answer| answer.try_recv().unwrap());
        assert_eq!([first.unwrap().version, third.unwrap().version], [2, 3]);
        let Err(Problem::Routes(Refused::Changed { wanted: 1, version: 2, who, .. })) = second else { panic!() };
        assert_eq!((who.as_str(), kept.keeper.routes().to_string()), ("me", "/a=>/4".to_owned()));
    }
}
