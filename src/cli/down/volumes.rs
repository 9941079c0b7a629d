//! `nagaya down --volumes`: the data of services goes too, for good, and so never unasked.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use tokio::time::Instant;

use super::stop;
use crate::cli::args::{Down, Global};
use crate::cli::ask::is_agreed;
use crate::cli::error::{Code, Error};
use crate::cli::locate;
use crate::cli::output::Output;
use crate::effects::places::Home;
use crate::effects::registry::{self, Lock};
use crate::effects::{containers, data};

/// Between two looks whether whatever held the workspace has let go, and for how long that is waited for.
const LOOK: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(30);

/// What is to go.
struct Doomed {
    name: String,
    home: Home,
    folders: Vec<PathBuf>,
    volumes: Vec<String>,
}

/// Asks, stops everything, and removes the data.
pub async fn run(global: &Global, args: &Down, output: &Output) -> Result<ExitCode, Error> {
    let doomed = Doomed::find(global, output).await?;
    if !doomed.is_empty() {
        let unasked = Error::usage(format!("{} would lose {}", doomed.name, doomed.told()))
            .hint("`--yes` removes it for good; without `--volumes` it stays");
        let question = format!("{} loses {}, for good. Remove it?", doomed.name, doomed.told());
        if !is_agreed(&question, unasked, global, output)? {
            output.say("nothing was stopped or removed");
            return Ok(ExitCode::from(Code::Failed as u8));
        }
    }
    let mut beside = output.clone();
    // What came of it is told at the end, once.
    (beside.json, beside.quiet) = (false, output.quiet || output.json);
    match stop(global, args, &beside).await {
        Ok(_) => {}
        Err(error) if error.code == Code::NoEngine => {}
        Err(error) => return Err(error),
    }
    doomed.remove().await?;
    if output.json {
        let folders: Vec<_> = doomed.folders.iter().map(|folder| folder.to_string_lossy()).collect();
        output.json(&serde_json::json!({ "stopped": doomed.name, "folders": folders, "volumes": doomed.volumes }));
    } else if doomed.is_empty() {
        output.say(&format!("{} has no data", doomed.name));
    } else {
        output.say(&format!("removed {}", doomed.told()));
    }
    Ok(ExitCode::SUCCESS)
}

impl Doomed {
    /// All data of the workspace that is meant, whether it runs or not.
    async fn find(global: &Global, output: &Output) -> Result<Self, Error> {
        let places = locate::places()?;
        let (id, name) = match locate::engine(global).ok().or_else(|| locate::killed(global)) {
            Some(engine) => (engine.id, engine.name),
            None => {
                let request = locate::manifest(global)?;
                let workspace = locate::load(&request, &output.silent())?;
                (locate::id(&workspace, &request), workspace.name.to_string())
            }
        };
        let home = places.home(&id);
        let folders = data::folders(&home).map_err(|error| Error::failed(error.to_string()))?;
        let volumes = containers::volumes(&home.volumes()).await.map_err(|reason| {
            Error::failed(format!("which volumes {name} has is not known: {reason}"))
                .hint("nothing was stopped or removed")
        })?;
        Ok(Self { name, home, folders, volumes })
    }

    fn is_empty(&self) -> bool {
        self.folders.is_empty() && self.volumes.is_empty()
    }

    /// In words.
    fn told(&self) -> String {
        let names = |folder: &PathBuf| folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let services: Vec<String> = self.folders.iter().map(names).filter(|name| !name.starts_with('.')).collect();
        let data = match (services.as_slice(), self.folders.as_slice()) {
            ([], []) => None,
            ([], _) => Some("data that a restore left".to_owned()),
            (services, _) => Some(format!("the data of {}", services.join(", "))),
        };
        let volumes = match self.volumes.as_slice() {
            [] => None,
            [volume] => Some(format!("the volume {volume}")),
            volumes => Some(format!("the volumes {}", volumes.join(", "))),
        };
        data.into_iter().chain(volumes).collect::<Vec<_>>().join(", and ")
    }

    /// Removes it while no engine of the workspace can begin.
    async fn remove(&self) -> Result<(), Error> {
        if self.is_empty() {
            return Ok(());
        }
        let _lock = self.lock().await?;
        let failed = |reason: String| Error::failed(format!("not all data could be removed: {reason}"));
        data::remove_all(&self.home).map_err(|error| failed(error.to_string()))?;
        containers::remove_volumes(&self.home.volumes()).await.map_err(failed)
    }

    async fn lock(&self) -> Result<Lock, Error> {
        let (path, until) = (self.home.lock(), Instant::now() + PATIENCE);
        loop {
            match registry::lock(&path).map_err(|error| Error::failed(format!("{}: {error}", path.display())))? {
                Some(lock) => return Ok(lock),
                None if Instant::now() < until => tokio::time::sleep(LOOK).await,
                None => {
                    return Err(Error::failed(format!("{} runs again, so its data was left alone", self.name))
                        .hint("nagaya down --volumes"));
                }
            }
        }
    }
}
