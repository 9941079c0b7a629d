//! Whether pods are possible on this machine: found by making one, as every other way to tell is a guess.

use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::fs;
use crate::launcher::pod::{self, Failure, Step};
use crate::launcher::{Client, Launch, Line, Report};
use crate::plan::RANGE;
use crate::supervise::Incarnation;

/// No instance's and no helper's.
const KEY: Incarnation = Incarnation(1 << 62);

/// A pod that was ordered to see whether it comes up.
#[derive(Debug)]
pub struct Trial {
    /// Held open until the pod has come up: its end would be taken for the engine's.
    _line: Arc<Line>,
}

impl Trial {
    /// Orders a pod in which nothing is done. `None` where not even the order can be given.
    pub fn begin(launcher: &Client) -> Option<Self> {
        let address = Ipv4Addr::from(u32::from(RANGE.0) + 1);
        let (line, end) = Line::new(address).ok()?;
        let order = pod::Pod {
            address,
            range: RANGE,
            host_name: b"trial".to_vec(),
            // Files over themselves: that it is allowed is what counts.
            etc: b"/etc".to_vec(),
            answers_names: false,
            front_door: 0,
        };
        let null = || fs::open_null().ok().map(std::os::fd::OwnedFd::from);
        let launch = Launch {
            incarnation: KEY,
            argv: b"true\0".to_vec(),
            environment: b"PATH=/usr/bin:/bin\0".to_vec(),
            folder: b"/\0".to_vec(),
            account: None,
            pod: Some((order, end)),
            stdout: null()?,
            stderr: null()?,
        };
        launcher.launch(launch).then(|| Self { _line: Arc::new(line) })
    }

    /// What became of it. Other reports that come meanwhile are about nobody: nothing else runs yet.
    pub async fn end(self, reports: &mut mpsc::UnboundedReceiver<Report>) -> Result<(), Failure> {
        while let Some(report) = reports.recv().await {
            match report {
                Report::Launched(KEY, ..) => return Ok(()),
                // A machine may have no such program; the pod was there.
                Report::NotLaunched(KEY, failure) if failure.step == Step::Exec => return Ok(()),
                Report::NotLaunched(KEY, failure) => return Err(failure),
                _ => {}
            }
        }
        Err(Failure { step: Step::Handover, errno: rustix::io::Errno::PIPE.raw_os_error() })
    }
}
