//! `nagaya kept COMMAND…`: a task whose result is kept, in its place among the services. What is there already is put
//! back, and else the command runs and its result is kept, just as `nagaya run` does it. For tasks that the engine runs,
//! not for people: what the result depends on is the engine's to tell, whatever the manifest says by now and whatever
//! variables the task has.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::process::ExitCode;

use tokio::sync::mpsc;

use super::show::Printer;
use super::{BACKLOG, GRACE, Style, limit, shown};
use crate::cli::error::Error;
use crate::cli::output::Output;
use crate::effects::cache::Store;
use crate::effects::{KEPT, KeptOrder, environment};
use crate::launcher::Process;
use crate::pipeline::{Before, Keep, KeptJob, Key, Machine, Node, Parts, Rules, key_part};
use crate::run::{Channels, Job, Surroundings, UNKNOWN};

/// Runs it and passes on its code.
pub fn run(words: &[OsString]) -> Result<ExitCode, Error> {
    let unasked = || Error::usage("`nagaya kept` is for nagaya's own use: see `inputs` and `outputs` of a task");
    let argv: Option<Vec<String>> = words.iter().map(|word| word.to_str().map(str::to_owned)).collect();
    let mut variables = environment::everything();
    let (Some(argv), Some(order)) = (argv, variables.remove(KEPT)) else { return Err(unasked()) };
    let KeptOrder { job, store, limit: size, locks, who } = serde_json::from_str(&order).map_err(|_| unasked())?;
    let store = Store::new(store, limit(size.as_deref())?);
    variables.insert("NAGAYA_TASK".to_owned(), job.name.clone());
    let job = job_of(job, argv, variables, &store);
    let output = Output::plain();
    let mut printer = Printer::new(vec![job.name.clone()], true, Style::Prefixed, &output).unattended();
    let (news, inbox) = mpsc::channel(BACKLOG);
    let launcher = Process::fork().map_err(|error| Error::failed(format!("no process can be made: {error}")))?;
    let surroundings = Surroundings { store, locks, who, force: false, asks: None, news, launcher };
    let rules = Rules { jobs: NonZeroUsize::MIN, keep_going: false, grace: GRACE };
    let machine = Machine::new(vec![Node { weight: 1, ..Node::default() }], rules);
    super::on_a_runtime(shown((machine, vec![job]), surroundings, inbox, &mut printer))?
}

fn job_of(order: KeptJob, argv: Vec<String>, variables: BTreeMap<String, String>, store: &Store) -> Job {
    let KeptJob { name, folder, lock, keep, before } = order;
    let channels = Channels::Told;
    let job =
        |keep| Job { name, argv, folder, variables, channels, pod: None, among: false, lock, needs: Vec::new(), keep };
    let keys: Option<Vec<Key>> = before.iter().map(|it| key_of(it, store)).collect();
    // A result that was not kept may be anything, and so may be what is made of it.
    let Some(keys) = keys else {
        let _ = store.set_unkept(&keep.task, UNKNOWN);
        return job(None);
    };
    let parts = before.iter().zip(&keys).map(|(it, key)| (key_part(&it.name), key.0.clone()));
    let parts: Parts = keep.parts.into_iter().chain(parts).collect();
    let before = before.into_iter().zip(keys).filter_map(|(it, key)| Some((it.kept?, key))).collect();
    job(Some(Keep { parts, before, ..keep }))
}

/// What stands for a task that has come to its end.
fn key_of(before: &Before, store: &Store) -> Option<Key> {
    match &before.kept {
        Some(task) => store.last(task).filter(|_| store.unkept(task).is_none()).map(|record| record.stand_in()),
        None => before.definition.clone(),
    }
}
