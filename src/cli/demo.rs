//! `nagaya demo`: the embedded workspace, and the services in it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::args::{Global, Up};
use super::error::Error;
use super::output::Output;
use super::{locate, up};
use crate::demo::{MANIFEST, play};
use crate::effects::{environment, fs};
use crate::manifest::Request;

#[derive(Debug, Clone, Args)]
pub struct Demo {
    #[command(flatten)]
    pub up: Up,
    /// Write the demo's manifest here instead of running it
    #[arg(long, value_name = "DIR")]
    pub write: Option<PathBuf>,
}

/// Boots the demo, or writes its manifest as a start for one's own.
pub fn run(global: Global, args: Demo, output: &Output) -> Result<ExitCode, Error> {
    let folder = match &args.write {
        Some(folder) => folder.clone(),
        None => locate::places()?.state.join("demo"),
    };
    let manifest = write(folder, args.write.is_some())?;
    if args.write.is_some() {
        output.say(&format!("wrote {}; `nagaya up` there boots it", manifest.display()));
        return Ok(ExitCode::SUCCESS);
    }
    let load = Request {
        files: vec![manifest],
        explicit: true,
        project: global.project_name.clone(),
        profiles: global.profile.clone(),
        no_env_file: true,
        guest: false,
    };
    if !output.json {
        output.say("the demo's manifest is embedded; `nagaya demo --write DIR` writes it out");
    }
    up::boot(&global, load, args.up, output)
}

/// Writes the manifest with this very program in the place of `nagaya`; a user's own is not overwritten.
fn write(folder: PathBuf, keep: bool) -> Result<PathBuf, Error> {
    let path = folder.join("nagaya.yaml");
    let told = |error: std::io::Error| Error::failed(format!("{} cannot be written: {error}", path.display()));
    if keep && fs::exists(&path) {
        return Err(Error::failed(format!("{} is there already", path.display())).hint("name another folder"));
    }
    let program = environment::program().map_err(told)?;
    let program = serde_json::Value::from(program.to_string_lossy().into_owned()).to_string();
    let text = MANIFEST.replace("[nagaya, ", &format!("[{program}, "));
    fs::make_private_folder(&folder).and_then(|()| fs::replace(&path, text.as_bytes())).map_err(told)?;
    fs::real(&path).map_err(told)
}

/// Plays one of the demo's services.
pub fn service(words: &[OsString]) -> ExitCode {
    match words.first().and_then(|role| role.to_str()) {
        Some(role) => play(role),
        None => ExitCode::from(2),
    }
}
