//! The manifest of an engine to be.

use std::path::PathBuf;

use tokio::sync::mpsc;

use super::Problem;
use super::matrix::Laid;
use super::network::{add_clashes, choose};
use crate::effects::fs::Witness;
use crate::effects::ports;
use crate::effects::trial::{Possible, Trial, possible};
use crate::launcher::{Client, Process, Report};
use crate::manifest::{self, Request};
use crate::model::{NetworkMode, Workspace};
use crate::plan::Shell;
use crate::view;

/// A manifest that was read for an engine to be, and the launcher that came up meanwhile.
#[derive(Debug)]
pub struct Draft {
    pub workspace: Workspace,
    /// Warnings about the manifest, drawn.
    pub(super) notices: Vec<String>,
    /// Of what the manifest consists.
    pub(super) files: Vec<PathBuf>,
    /// The versions that are compared, where that is what the engine is for.
    pub(super) laid: Option<Laid>,
    pub(super) load: Request,
    pub(super) shell: Shell,
    pub(super) program: PathBuf,
    /// What this machine allows.
    pub(super) possible: Possible,
    /// What `auto` means here.
    pub network: NetworkMode,
    pub(super) launcher: Client,
    pub(super) reports: mpsc::UnboundedReceiver<Report>,
    pub(super) report_sender: mpsc::UnboundedSender<Report>,
}

impl Draft {
    /// Reads the manifest. `program` is this very program, for a launcher that takes the place of a lost one.
    pub async fn new(
        launcher: Process,
        load: Request,
        shell: Shell,
        program: PathBuf,
        color: bool,
    ) -> Result<Self, Problem> {
        let (report_sender, mut reports) = mpsc::unbounded_channel();
        let launcher = Client::new(launcher, report_sender.clone())
            .map_err(|error| Problem::Nothing { message: format!("the launcher cannot be reached: {error}") })?;
        // Made by the launcher while the manifest is read here.
        let trial = Trial::begin(&launcher);
        tokio::task::yield_now().await;
        let (result, files) = read(&load, &shell, color);
        let (workspace, notices) = result?;
        let possible = possible(trial, &launcher, &mut reports).await;
        let (network, notice) = choose(&workspace, &possible, ports::lowest())?;
        let notices = notices.into_iter().chain(notice).collect();
        Ok(Self {
            workspace,
            notices,
            files,
            laid: None,
            load,
            shell,
            program,
            possible,
            network,
            launcher,
            reports,
            report_sender,
        })
    }

    /// Has the engine compare versions. These stay as they are from now on: edits of the manifest are not for it.
    pub fn comparing(self, laid: Laid) -> Self {
        Self { laid: Some(laid), files: Vec::new(), ..self }
    }
}

/// A workspace and its warnings, drawn; or why there is none.
pub(super) type Loading = Result<(Workspace, Vec<String>), Problem>;

/// Reads a manifest, and tells of what it consists: files that are there and files that would count if they were.
pub(super) fn read(request: &Request, shell: &Shell, color: bool) -> (Loading, Vec<PathBuf>) {
    let disk = Witness::default();
    let (workspace, mut problems) = manifest::load(request, shell, &disk);
    if let Some(workspace) = &workspace {
        add_clashes(workspace, &mut problems, ports::lowest());
    }
    let rendered = view::draw_problems(&problems, color);
    let result = match workspace.filter(|_| !problems.has_errors()) {
        Some(workspace) => Ok((workspace, if rendered.is_empty() { Vec::new() } else { vec![rendered] })),
        None => Err(Problem::Manifest { rendered, errors: problems.errors(), brief: problems.brief() }),
    };
    (result, disk.seen())
}
