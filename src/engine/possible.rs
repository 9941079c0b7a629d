//! Whether pods are possible here, for whoever has no engine to ask.

use tokio::sync::mpsc;

use crate::effects::trial::Trial;
use crate::launcher::pod::{Failure, Step};
use crate::launcher::{Client, Process};

/// Makes a pod in which nothing is done. This process must have one thread.
pub fn pods_possible() -> Result<(), Failure> {
    let broken = |error: std::io::Error| Failure { step: Step::Namespaces, errno: error.raw_os_error().unwrap_or(0) };
    let launcher = Process::fork().map_err(broken)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(broken)?;
    runtime.block_on(async {
        let (sender, mut reports) = mpsc::unbounded_channel();
        let launcher = Client::new(launcher, sender).map_err(broken)?;
        let tried = match Trial::begin(&launcher) {
            Some(trial) => trial.end(&mut reports).await,
            None => Err(Failure { step: Step::Sockets, errno: 0 }),
        };
        launcher.end();
        // It is gone when nothing more can come.
        while reports.recv().await.is_some() {}
        tried
    })
}
