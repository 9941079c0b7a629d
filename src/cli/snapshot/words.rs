//! What is said of snapshots that were made or restored, or could not be.

use std::path::Path;
use std::time::Duration;

use super::list::Row;
use super::names_of;
use crate::cli::error::{Code, Error};
use crate::cli::output::Output;
use crate::effects::snapshots::{Live, NotCopied, Snapshot as Saved, Trouble};
use crate::model::{Size, Workspace};
use crate::view::elapsed;

pub fn nothing_to_save(all: &[Live]) -> Error {
    if all.is_empty() {
        return Error::failed("no service of this workspace owns data").hint("say `stateful: true` of those that do");
    }
    let error = Error::failed(format!("there is no data to save of {}", names_of(all).join(", ")));
    error.hint("`nagaya up` makes it; what containers keep in no volume of their own is in no snapshot")
}

/// Of a service that a snapshot could be expected to have and does not.
pub fn left_out(live: &Live, workspace: &Workspace) -> String {
    let service = workspace.services.values().find(|it| *it.name.to_string() == *live.service);
    match service.is_some_and(|it| it.container().is_some()) {
        true if live.volumes.is_empty() => {
            format!("{} is left out: its container keeps nothing in a volume of its own", live.service)
        }
        _ => format!("{} is left out: it has no data yet", live.service),
    }
}

/// Of a volume that was replaced, or made for nothing, and is there yet.
pub fn still_had(volume: &str) -> String {
    format!(
        "the volume {volume} is in use no more, and stays until the next restore: a container has it yet, with what is \
         in it, as it was not started again"
    )
}

pub fn half_made(live: &Live) -> Error {
    let error = Error::failed(format!("the data of {} is half made, so nothing was saved", live.service));
    error.hint("`nagaya up --wait` makes it anew")
}

/// What is said of it, with what helps.
pub fn trouble(trouble: Trouble) -> Error {
    let message = trouble.to_string();
    match trouble {
        Trouble::NotCopied(NotCopied::CalledOff) => {
            Error::new(Code::Interrupted, format!("{message}; all is as it was"))
        }
        Trouble::NotCopied(NotCopied::Full(..)) => {
            Error::failed(format!("{message}; all is as it was")).hint("`nagaya snapshot rm` removes snapshots")
        }
        Trouble::NotCopied(NotCopied::Changed(_)) => Error::failed(message)
            .hint("what writes there is no service of this workspace, or was just started: call it again"),
        Trouble::Unknown(_) => Error::usage(message).hint("`nagaya snapshot list` has them"),
        Trouble::Busy(_) => Error::failed(message).hint("call it again when that is done"),
        Trouble::Unproven(_) => Error::failed(message)
            .hint("`nagaya snapshot keep` removes it; `nagaya down` and `nagaya snapshot take-back` bring it back"),
        Trouble::Midway(_) => Error::failed(message).hint("`nagaya down` and `nagaya up` complete it"),
        Trouble::Torn(..) => Error::failed(message).hint("`nagaya down` and `nagaya snapshot take-back` try it again"),
        Trouble::Nothing => Error::usage(message),
        Trouble::Strange(_) => Error::failed(message),
        Trouble::Engine(_) => Error::failed(message).hint("`nagaya doctor` tells which engine of containers there is"),
        Trouble::Another(..) => Error::failed(message).hint("`run:` of a template says which it is to be"),
        Trouble::Lacks(_) | Trouble::NotCopied(NotCopied::Failed(..)) | Trouble::Failed(..) => Error::failed(message),
    }
}

/// An error, and that of services that were to be started again after it.
pub fn and_not_started(error: Error, started: Result<(), Error>) -> Error {
    match started {
        Ok(()) => error,
        Err(other) => error.hint(format!("what ran before could not be started again: {}", other.message)),
    }
}

/// Both the restored data and what was before are there, and somebody has to say which is wanted.
pub fn stuck(error: Error, aside: &[&Path]) -> Error {
    let aside: Vec<String> = aside.iter().map(|path| path.display().to_string()).collect();
    error.hint(format!("nothing was removed: the data that is not in use is in {}", aside.join(", "))).hint(
        "`nagaya down` and `nagaya snapshot take-back` bring back what was before; `nagaya snapshot keep` removes it",
    )
}

/// What was done, and how long it took.
pub fn told(verb: &str, saved: &Saved, took: Duration, output: &Output) {
    if output.json {
        let mut row = serde_json::json!(Row::of(saved, None));
        row["duration_ms"] = serde_json::json!(took.as_millis());
        return output.json(&row);
    }
    let (size, services) = (Size(saved.bytes()), saved.services().join(", "));
    output.say(&format!("{verb} {}: {size} of {services}, in {}", saved.name, elapsed(took)));
}
