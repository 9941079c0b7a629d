//! Images for whoever asks for them before anything is started.

use std::collections::HashMap;

use tokio::sync::mpsc;

use super::build::{self, Job};
use super::engine::Engine;
use super::image::{pull, reference};
use super::words::Words;
use crate::effects::environment;
use crate::model::{Build, Image};

/// The images of a workspace, at the engine that is meant.
#[derive(Debug)]
pub struct Images {
    engine: Engine,
    workspace: String,
    shell: HashMap<String, String>,
}

impl Images {
    /// Those of the workspace that has this id.
    pub async fn of(workspace: &str) -> Result<Self, String> {
        let engine = Engine::find().await.map_err(|absent| absent.to_string())?;
        Ok(Self { engine, workspace: workspace.to_owned(), shell: environment::everything().into_iter().collect() })
    }

    /// What the engine calls an image.
    pub fn name(&self, image: &Image) -> String {
        reference(image, &self.workspace)
    }

    /// Fetches one, and tells how that goes; whether another one is there than before.
    pub async fn fetch(&self, image: &Image, lines: mpsc::UnboundedSender<String>) -> Result<bool, String> {
        let (name, mut words) = (self.name(image), Words::to_waiting(lines));
        let before = self.id(&name).await;
        pull(&self.engine, &name, image.platform.as_deref(), &mut words).await?;
        Ok(self.id(&name).await != before)
    }

    /// Builds one as this build says, whatever is there; its output is told. Whether another one is there than before.
    pub async fn build(
        &self,
        image: &Image,
        wanted: &Build,
        lines: mpsc::UnboundedSender<String>,
    ) -> Result<bool, String> {
        let (name, mut words) = (self.name(image), Words::to_waiting(lines));
        let before = self.id(&name).await;
        let job = Job { name: &name, image, shell: &self.shell, is_old: true };
        build::build(&self.engine, wanted, &job, &mut words).await?;
        Ok(self.id(&name).await != before)
    }

    async fn id(&self, name: &str) -> Option<String> {
        self.engine.docker.inspect_image(name).await.ok()?.id
    }
}
