//! The manifest of an engine to be.

use std::path::PathBuf;

use tokio::sync::mpsc;

use super::Problem;
use super::network::{add_clashes, choose};
use crate::effects::fs::Disk;
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
    pub(super) load: Request,
    pub(super) shell: Shell,
    pub(super) program: PathBuf,
    /// What this machine allows.
    pub(super) possible: Possible,
    /// What `auto` means here.
    pub(super) network: NetworkMode,
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
        let (workspace, notices) = read(&load, &shell, color)?;
        let possible = possible(trial, &launcher, &mut reports).await;
        let (network, notice) = choose(&workspace, &possible, ports::lowest())?;
        let notices = notices.into_iter().chain(notice).collect();
        Ok(Self { workspace, notices, load, shell, program, possible, network, launcher, reports, report_sender })
    }
}

/// Reads a manifest; what is drawn are warnings, or problems that forbid its use.
pub(super) fn read(request: &Request, shell: &Shell, color: bool) -> Result<(Workspace, Vec<String>), Problem> {
    let (workspace, mut problems) = manifest::load(request, shell, &Disk);
    if let Some(workspace) = &workspace {
        add_clashes(workspace, &mut problems, ports::lowest());
    }
    let rendered = view::draw_problems(&problems, color);
    match workspace.filter(|_| !problems.has_errors()) {
        Some(workspace) => Ok((workspace, if rendered.is_empty() { Vec::new() } else { vec![rendered] })),
        None => Err(Problem::Manifest { rendered, errors: problems.errors() }),
    }
}
