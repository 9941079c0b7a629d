//! Which network modes are possible on this machine: found by making a pod, as every other way to tell is a guess.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::sync::mpsc;

use super::flows::Tracker;
use super::fs;
use crate::launcher::pod::{self, Failure, Step};
use crate::launcher::{Client, Launch, Line, Report};
use crate::model::{NetworkMode, Signal};
use crate::plan::RANGE;
use crate::supervise::Incarnation;

/// No instance's and no helper's: those of the trials.
const POD: Incarnation = Incarnation(1 << 62);
const NAMES: Incarnation = Incarnation((1 << 62) + 1);
const DATAGRAMS: Incarnation = Incarnation((1 << 62) + 2);

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
    line: Arc<Line>,
}

impl Trial {
    /// Orders a pod in which nothing is done. `None` where not even the order can be given.
    pub fn begin(launcher: &Client) -> Option<Self> {
        Self::order(launcher, POD, b"true\0")
    }

    fn order(launcher: &Client, incarnation: Incarnation, argv: &[u8]) -> Option<Self> {
        let address = Ipv4Addr::from(u32::from(RANGE.0) + 1);
        let (line, end) = Line::new(address).ok()?;
        let network = || pod::Network {
            address,
            range: RANGE,
            world6: false,
            host_name: b"trial".to_vec(),
            answers_names: false,
            front_door: 0,
            confined: None,
        };
        let order = pod::Pod {
            // Files over themselves: that it is allowed is what counts.
            etc: b"/etc".to_vec(),
            network: (incarnation != NAMES).then(network),
        };
        let null = || fs::open_null().ok().map(std::os::fd::OwnedFd::from);
        let launch = Launch {
            incarnation,
            argv: argv.to_vec(),
            environment: b"PATH=/usr/bin:/bin\0".to_vec(),
            folder: b"/\0".to_vec(),
            account: None,
            pod: Some((order, end)),
            input: None,
            stdout: null()?,
            stderr: null()?,
        };
        launcher.launch(launch).then(|| Self { incarnation, line: Arc::new(line) })
    }

    /// What became of it. Other reports that come meanwhile are about nobody: nothing else runs yet.
    async fn end(&self, reports: &mut mpsc::UnboundedReceiver<Report>) -> Result<(), Failure> {
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
    let names = match Trial::order(launcher, NAMES, b"true\0") {
        Some(trial) => trial.end(reports).await,
        None => Err(no_order),
    };
    Possible { pod: Err(failure), names }
}

/// Whether the engine can pass on what a pod sends by UDP. For where pods are possible.
pub async fn datagrams(launcher: &Client, reports: &mut mpsc::UnboundedReceiver<Report>) -> io::Result<()> {
    // A pod ends with its program.
    let trial = Trial::order(launcher, DATAGRAMS, b"sleep\x0060\0").ok_or(io::ErrorKind::ResourceBusy)?;
    let known = async {
        trial.end(reports).await.map_err(Failure::error)?;
        trial.line.handover().await?;
        let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, pod::ENGINE));
        Tracker::new(trial.line.tracking().await?).find(nobody, nobody).map(drop)
    };
    let known = known.await;
    launcher.signal(DATAGRAMS, Signal::KILL);
    known
}
