//! Which network modes are possible here, for whoever has no engine to ask.

use tokio::sync::mpsc;

use crate::effects::trial::{Possible, Trial, possible};
use crate::launcher::pod::{Failure, Step};
use crate::launcher::{Client, Process};

/// Tries them, by a launcher that is gone when this returns. This process must have one thread.
pub fn modes_possible() -> Possible {
    attempt().unwrap_or_else(|error| {
        Possible::nothing(Failure { step: Step::Namespaces, errno: error.raw_os_error().unwrap_or(libc::EIO) })
    })
}

fn attempt() -> std::io::Result<Possible> {
    let launcher = Process::fork()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (sender, mut reports) = mpsc::unbounded_channel();
        let launcher = Client::new(launcher, sender)?;
        let tried = possible(Trial::begin(&launcher), &launcher, &mut reports).await;
        launcher.end();
        // It is gone when nothing more can come.
        while reports.recv().await.is_some() {}
        Ok(tried)
    })
}
