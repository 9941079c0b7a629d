//! The engine's process, put together: the loop, the launcher, the proxy, the API and who owns them.
//!
//! It is a fork of the `up` that starts it (see `launcher::fork`), and answers that on a socket whose closing means
//! that the owner is gone.

mod aftermath;
mod opening;
mod owner;
mod possible;
mod process;
mod start;

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::api::Identity;
use crate::manifest::Request;
use crate::runtime::{MatrixRequest, Problem, UpRequest};
use crate::view;

pub use aftermath::{clear, wait_for_end};
pub use possible::{all_possible, modes_possible};
pub use process::launcher;
pub use start::{Found, Owned, find_or_start};

/// What `up` tells the engine that it starts.
#[derive(Debug, Clone)]
pub struct Order {
    pub load: Request,
    pub up: UpRequest,
    /// Hold ports 80 and 443 of the loopback too.
    pub standard_ports: bool,
    /// Where namerd's API is served, if it is.
    pub namerd: Option<SocketAddr>,
    /// Versions to be compared: then the engine is another one than the workspace's own, with data of its own, and ends
    /// with what it is for.
    pub matrix: Option<MatrixRequest>,
}

impl Order {
    /// What the engine is called, of a workspace.
    fn name(&self, workspace: &str) -> String {
        // With its ending a label of DNS has at most 63 characters.
        const LONGEST: usize = 56;
        match self.matrix {
            Some(_) => format!("{}-matrix", workspace.get(..LONGEST).unwrap_or(workspace)),
            None => workspace.to_owned(),
        }
    }
}

/// An engine that has a plan and listens.
#[derive(Debug, Serialize, Deserialize)]
pub struct Running {
    pub socket: PathBuf,
    pub identity: Identity,
    /// The services that the `up` is about.
    pub services: Vec<String>,
    /// Warnings, drawn.
    pub notices: Vec<String>,
    /// The combinations of versions that it runs.
    pub matrix: Option<view::matrix::Matrix>,
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// What was asked for cannot be done.
    #[error(transparent)]
    Asked(Problem),
    /// The surroundings do not allow it.
    #[error("{message}")]
    Surroundings { message: String, hint: Option<String> },
}

impl Refusal {
    fn surroundings(message: impl Into<String>) -> Self {
        Self::Surroundings { message: message.into(), hint: None }
    }

    fn hint(mut self, text: impl Into<String>) -> Self {
        if let Self::Surroundings { hint, .. } = &mut self {
            *hint = Some(text.into());
        }
        self
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Asked(problem)
    }
}

/// What the engine answers to its `up`, as one line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reply {
    Running(Box<Running>),
    /// Another engine has this workspace.
    Taken {
        id: String,
    },
    Refused(Refusal),
}
