//! A command from its beginning once more, in the same process.
#![allow(clippy::disallowed_types, reason = "this process becomes itself again")]

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::error::Error;
use crate::effects::environment;

/// Begins again with the same words, in the folder that they were said in where that is another one than ours. An engine
/// is a fork of its `up`, and a process that has once had a runtime may not be forked for that: descriptors would be
/// inherited that a runtime keeps for the life of its process, and takes for its own.
/// What this returns is why it could not be done.
pub fn again(called_in: Option<&Path>) -> Error {
    let program = match environment::program() {
        Ok(program) => program,
        Err(error) => return Error::failed(format!("this program cannot be found: {error}")),
    };
    let words = environment::arguments();
    let mut command = Command::new(&program);
    if let [name, words @ ..] = words.as_slice() {
        command.arg0(name).args(words);
    }
    // A folder that they name is one from there.
    if let Some(folder) = called_in {
        command.current_dir(folder);
    }
    let failed = command.exec();
    Error::failed(format!("{} cannot be executed again: {failed}", program.display()))
}
