//! Services that a task needs, asked for when its turn has come: of a task whose result is there nothing has to run.

use std::collections::BTreeMap;

use tokio::sync::{mpsc, oneshot, watch};

use super::Job;
use super::flow::{Asked, Broken, Flow, Result, unless_asked};

/// What is asked of whoever has the services, and answered once it is so.
#[derive(Debug)]
pub enum Ask {
    /// Have the services of a task ready, and a place for it among them. The answer may be why that cannot be.
    Enter(usize, oneshot::Sender<std::result::Result<Place, String>>),
    /// Take the place back: the task went well or not.
    Leave(usize, bool, oneshot::Sender<std::result::Result<(), String>>),
}

/// A task's place among services.
#[derive(Debug, Default)]
pub struct Place {
    /// Pid 1 of its pod; the host where there is none.
    pub pod: Option<u32>,
    /// What it finds in its environment there, beside its own.
    pub variables: BTreeMap<String, String>,
}

/// The sending end. None where no task needs any.
pub type Asks = Option<mpsc::UnboundedSender<Ask>>;

impl Flow {
    /// A job as it is run: among its services where it needs any.
    pub(super) async fn enter(&self, place: usize, asked: &mut watch::Receiver<Asked>) -> Result<Job> {
        let job = &self.jobs[place];
        let Some(asks) = self.asks.as_ref().filter(|_| job.among) else { return Ok(job.clone()) };
        let (reply, answer) = oneshot::channel();
        let gone = || Broken::ours("its services are gone");
        asks.send(Ask::Enter(place, reply)).map_err(|_| gone())?;
        let Place { pod, variables: given } = match unless_asked(asked, answer).await? {
            Ok(Ok(found)) => found,
            Ok(Err(why)) => return Err(Broken::ours(why)),
            Err(_) => return Err(gone()),
        };
        let mut job = Job { pod, ..job.clone() };
        job.variables.extend(given);
        Ok(job)
    }

    /// Whether it has a place among services of its own.
    pub(super) fn is_among(&self, place: usize) -> bool {
        self.asks.is_some() && self.jobs[place].among
    }

    /// Gives the place back before anybody learns that the task has ended.
    pub(super) async fn leave(&self, place: usize, well: bool) -> Result<()> {
        let Some(asks) = self.asks.as_ref().filter(|_| self.jobs[place].among) else { return Ok(()) };
        let (reply, answer) = oneshot::channel();
        let gone = || Broken::ours("its services are gone");
        asks.send(Ask::Leave(place, well, reply)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?.map_err(Broken::ours)
    }
}
