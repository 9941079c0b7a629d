//! Which network modes are possible on this machine: found by making a pod, as every other way to tell is a guess.

use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::fs;
use crate::launcher::pod::{self, Failure, Step};
use crate::launcher::{Client, Launch, Line, Report};
use crate::model::NetworkMode;
use crate::plan::RANGE;
use crate::supervise::Incarnation;

/// No instance's and no helper's: those of the two trials.
const POD: Incarnation = Incarnation(1 << 62);
const NAMES: Incarnation = Incarnation((1 << 62) + 1);

/// What this machine allows; mode `env` needs nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Possible {
    pub pod: Result<(), Failure>,
    pub names: Result<(), Failure>,
}

impl Possible {
    /// Nothing could even be tried.
    pub fn nothing(failure: Failure) -> Self {
        Self { pod: Err(failure), names: Err(failure) }
    }

    /// The mode that is nearest to production.
    pub fn best(&self) -> NetworkMode {
        match (self.pod, self.names) {
            (Ok(()), _) => NetworkMode::Pod,
            (Err(_), Ok(())) => NetworkMode::Names,
            (Err(_), Err(_)) => NetworkMode::Env,
        }
    }
}

/// A pod that was ordered to see whether it comes up.
#[derive(Debug)]
pub struct Trial {
    incarnation: Incarnation,
    /// Held open until the pod has come up: its end would be taken for the engine's.
    _line: Arc<Line>,
}

impl Trial {
    /// Orders a pod in which nothing is done. `None` where not even the order can be given.
    pub fn begin(launcher: &Client) -> Option<Self> {
        Self::order(launcher, POD)
    }

    fn order(launcher: &Client, incarnation: Incarnation) -> Option<Self> {
        let address = Ipv4Addr::from(u32::from(RANGE.0) + 1);
        let (line, end) = Line::new(address).ok()?;
        let network = || pod::Network {
            address,
            range: RANGE,
            host_name: b"trial".to_vec(),
            answers_names: false,
            front_door: 0,
            confined: None,
        };
        let order = pod::Pod {
            // Files over themselves: that it is allowed is what counts.
            etc: b"/etc".to_vec(),
            network: (incarnation == POD).then(network),
        };
        let null = || fs::open_null().ok().map(std::os::fd::OwnedFd::from);
        let launch = Launch {
            incarnation,
            argv: b"true\0".to_vec(),
            environment: b"PATH=/usr/bin:/bin\0".to_vec(),
            folder: b"/\0".to_vec(),
            account: None,
            pod: Some((order, end)),
            stdout: null()?,
            stderr: null()?,
        };
        launcher.launch(launch).then(|| Self { incarnation, _line: Arc::new(line) })
    }

    /// What became of it. Other reports that come meanwhile are about nobody: nothing else runs yet.
    async fn end(self, reports: &mut mpsc::UnboundedReceiver<Report>) -> Result<(), Failure> {
        let own = self.incarnation;
        while let Some(report) = reports.recv().await {
            match report {
                Report::Launched(whose, ..) if whose == own => return Ok(()),
                // A machine may have no such program; the pod was there.
                Report::NotLaunched(whose, failure) if whose == own && failure.step == Step::Exec => return Ok(()),
                Report::NotLaunched(whose, failure) if whose == own => return Err(failure),
                _ => {}
            }
        }
        Err(Failure { step: Step::Handover, errno: rustix::io::Errno::PIPE.raw_os_error() })
    }
}

/// What a trial that was begun tells. Where pods are not possible, the next best mode is tried: it takes a part of the
/// same steps.
pub async fn possible(
    trial: Option<Trial>,
    launcher: &Client,
    reports: &mut mpsc::UnboundedReceiver<Report>,
) -> Possible {
    let no_order = Failure { step: Step::Sockets, errno: rustix::io::Errno::MFILE.raw_os_error() };
    let Some(trial) = trial else { return Possible::nothing(no_order) };
    let Err(failure) = trial.end(reports).await else { return Possible { pod: Ok(()), names: Ok(()) } };
    let names = match Trial::order(launcher, NAMES) {
        Some(trial) => trial.end(reports).await,
        None => Err(no_order),
    };
    Possible { pod: Err(failure), names }
}
