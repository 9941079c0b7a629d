//! Which network modes are possible here, for whoever has no engine to ask.

use std::io;

use tokio::sync::mpsc;

use crate::effects::trial::{Possible, Trial, datagrams, possible};
use crate::launcher::pod::{Failure, Step};
use crate::launcher::{Client, Process, Report};

/// Tries them, by a launcher that is gone when this returns. This process must have one thread.
pub fn modes_possible() -> Possible {
    let tried = attempt(async |launcher, reports| possible(Trial::begin(launcher), launcher, reports).await);
    tried.unwrap_or_else(|error| nothing(&error))
}

/// The same, and whether pods can send datagrams; that is not asked where there are no pods.
pub fn all_possible() -> (Possible, io::Result<()>) {
    let tried = attempt(async |launcher, reports| {
        let modes = possible(Trial::begin(launcher), launcher, reports).await;
        let sent = if modes.pod.is_ok() { datagrams(launcher, reports).await } else { Ok(()) };
        (modes, sent)
    });
    tried.unwrap_or_else(|error| (nothing(&error), Ok(())))
}

fn nothing(error: &io::Error) -> Possible {
    Possible::nothing(Failure { step: Step::Namespaces, errno: error.raw_os_error().unwrap_or(libc::EIO) })
}

fn attempt<T>(look: impl AsyncFnOnce(&Client, &mut mpsc::UnboundedReceiver<Report>) -> T) -> io::Result<T> {
    let launcher = Process::fork()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (sender, mut reports) = mpsc::unbounded_channel();
        let launcher = Client::new(launcher, sender)?;
        let seen = look(&launcher, &mut reports).await;
        launcher.end();
        // It is gone when nothing more can come.
        while reports.recv().await.is_some() {}
        Ok(seen)
    })
}
