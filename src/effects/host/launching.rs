//! What a launch needs of its surroundings, and what is said where they have it not.

use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;

use super::Host;
use crate::effects::pods::{Pod, PodOrder, Whose, private_files};
use crate::effects::{environment, fs, locks, texts};
use crate::launcher::pod::{Failure, Step};
use crate::model::NetworkMode;
use crate::plan::Planned;
use crate::supervise::Incarnation;

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
    pub(super) fn words(&self, planned: &Planned) -> Result<Vec<u8>, String> {
        let own = match (&planned.kept, &planned.lock) {
            (Some([manifest, task]), _) => {
                vec!["kept".to_owned(), manifest.clone(), task.clone(), planned.environment.own().join(",")]
            }
            (None, Some(lock)) => {
                let file = text(locks::file_of(&self.home.task_locks(), lock))?;
                vec!["turn".to_owned(), file, lock.clone(), planned.name.to_string()]
            }
            (None, None) => return Ok(texts::block(planned.argv())),
        };
        let program = environment::program().map_err(|error| format!("nagaya's own file cannot be found: {error}"))?;
        Ok(texts::block(&[&[text(program)?], own.as_slice(), planned.argv()].concat()))
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
