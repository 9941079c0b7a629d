//! What a launch needs of its surroundings, and what is said where they have it not.

use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Host;
use crate::effects::cache::CACHE_SIZE;
use crate::effects::places::Places;
use crate::effects::pods::{Pod, PodOrder, Whose, private_files};
use crate::effects::{environment, fs, locks, texts};
use crate::launcher::pod::{Failure, Step};
use crate::model::NetworkMode;
use crate::pipeline::KeptJob;
use crate::plan::Planned;
use crate::supervise::Incarnation;

/// The variable in which `nagaya kept` finds its order: what is in the words of a process is there for everybody to see.
pub const KEPT: &str = "NAGAYA_KEPT";

/// What `nagaya kept` is told: nothing of it is the task's own to decide.
#[derive(Debug, Serialize, Deserialize)]
pub struct KeptOrder {
    pub job: KeptJob,
    /// The folder of the results.
    pub store: PathBuf,
    /// The most that these may take, in the user's words.
    pub limit: Option<String>,
    /// The folder of the locks that tasks share.
    pub locks: PathBuf,
    /// Who has a turn, for those that wait for it.
    pub who: String,
}

impl Host {
    /// What an instance has of its own, by its network mode: a pod that is to be known, and the launcher's order.
    pub(super) fn apart(
        &self,
        service: usize,
        instance: u32,
        incarnation: Incarnation,
    ) -> io::Result<(Option<Pod>, Option<PodOrder>)> {
        let planned = &self.plan.services[service];
        match planned.network {
            NetworkMode::Pod => {
                let whose = Whose { incarnation, planned, instance, serves: true };
                let (pod, order) = Pod::order(&whose, &self.home.etc(), self.plan.front_door, &self.announcer)?;
                Ok((Some(pod), Some(order)))
            }
            NetworkMode::Names => {
                private_files(&self.home.etc_of(planned.name.as_str())).map(|order| (None, Some(order)))
            }
            NetworkMode::Env => Ok((None, None)),
        }
    }

    /// The words of a service. What has a result that is kept is run by this program, and what has a lock waits for it
    /// first by way of it.
    pub(super) fn words(&self, planned: &Planned, variables: &mut texts::Variables) -> Result<Vec<u8>, String> {
        let order = self.kept.get(&planned.name).and_then(|job| self.kept_order(job));
        let own = match (order, &planned.lock) {
            (Some(order), _) => {
                texts::set(variables, KEPT, &order);
                vec!["kept".to_owned()]
            }
            (None, Some(lock)) => {
                let file = text(locks::file_of_task(&self.home.task_locks(), lock))?;
                vec!["turn".to_owned(), file, lock.clone(), planned.name.to_string()]
            }
            (None, None) => return Ok(texts::block(planned.argv())),
        };
        let program = environment::program().map_err(|error| format!("nagaya's own file cannot be found: {error}"))?;
        Ok(texts::block(&[&[text(program)?], own.as_slice(), planned.argv()].concat()))
    }

    /// What `nagaya kept` is told. Paths that are no text cannot be, and such a task runs every time.
    fn kept_order(&self, job: &KeptJob) -> Option<String> {
        let order = KeptOrder {
            job: job.clone(),
            store: Places::find().ok()?.results(),
            limit: environment::variable(CACHE_SIZE).map(|size| size.to_string_lossy().into_owned()),
            locks: self.home.task_locks(),
            who: format!("the engine, process {}", std::process::id()),
        };
        serde_json::to_string(&order).ok()
    }

    /// The system's error, in terms of what the manifest says.
    pub(super) fn launch_error(&self, service: usize, failure: Failure) -> String {
        let Some(planned) = self.plan.services.get(service) else { return failure.to_string() };
        if failure.step != Step::Exec {
            let what = if planned.has_pod() { "its pod" } else { "its view of names" };
            return format!("{what} could not be made: {failure}; `nagaya doctor` tells more");
        }
        let error = failure.error();
        let folder = planned.working_dir.display();
        if !planned.working_dir.is_dir() {
            return format!("the folder {folder} does not exist");
        }
        let program = planned.argv().first().map_or("", String::as_str);
        let variables = planned.environment.resolve();
        let path = variables.get("PATH").map(OsStr::new);
        match error.kind() {
            _ if fs::is_missing(OsStr::new(program), path, &error) => {
                format!("`{program}` is not a command that can be found")
            }
            io::ErrorKind::PermissionDenied => format!("`{program}` may not be executed"),
            _ => format!("`{program}`: {error}"),
        }
    }
}

fn text(path: PathBuf) -> Result<String, String> {
    path.into_os_string().into_string().map_err(|it| format!("{} is no text", it.display()))
}
