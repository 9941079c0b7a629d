//! After an engine that was killed: its launcher may still be ending what it had started, and others may be left.

use std::time::Duration;

use super::Refusal;
use crate::effects::clock::Clock;
use crate::effects::places::{Home, Places};
use crate::effects::registry::{self, Registration};
use crate::effects::survivors;

/// Another engine of the workspace gets this long to come up, or to end what it had started.
const PATIENCE: Duration = Duration::from_secs(20);
/// A wait that takes longer is told of.
const SILENCE: Duration = Duration::from_secs(1);
/// Between two looks at a workspace that another engine holds. Nothing tells of both ways in which that may end.
const PAUSE: rustix::thread::Timespec = rustix::thread::Timespec { tv_sec: 0, tv_nsec: 10_000_000 };

/// Waits until nobody has the workspace, or an engine has it that answers. `tell` takes a word to the user.
pub(super) fn wait(home: &Home, tell: &dyn Fn(&str)) -> Result<(), Refusal> {
    let clock = Clock::start();
    let mut told = false;
    while let Some(ends) = held(home) {
        let waited = clock.now().0;
        if waited > PATIENCE && !ends {
            return Err(Refusal::surroundings("another engine of this workspace neither answers nor ends")
                .hint(format!("{} is locked; its owner may be stuck", home.lock().display())));
        }
        if waited > SILENCE && !std::mem::replace(&mut told, true) {
            tell("waiting for the processes of an earlier engine to end");
        }
        let _ = rustix::thread::nanosleep(&PAUSE);
    }
    Ok(())
}

/// Waits for the end of an engine, and says whether it came. One that `ends` ends in its own time, as its services do;
/// another is waited for as long as a crash may take.
pub fn wait_for_end(engine: &Registration, ends: bool, tell: &dyn Fn(&str)) -> bool {
    let clock = Clock::start();
    let mut told = false;
    while engine.is_alive() {
        let waited = clock.now().0;
        if !ends && waited > PATIENCE {
            return false;
        }
        if waited > SILENCE && !std::mem::replace(&mut told, true) {
            tell("waiting for the earlier engine to end");
        }
        let _ = rustix::thread::nanosleep(&PAUSE);
    }
    true
}

/// Whether somebody has the workspace who cannot be talked to: an engine that is coming or going, or the launcher of
/// one that was killed. Of an engine that ends, which takes as long as its services do, that is told.
fn held(home: &Home) -> Option<bool> {
    let ends = match registry::read(home).filter(Registration::is_alive) {
        Some(engine) if !engine.ending => return None,
        engine => engine.is_some(),
    };
    matches!(registry::lock(&home.lock()), Ok(None)).then_some(ends)
}

/// Ends what a killed engine left, takes its note away, and returns how many processes there were.
pub fn clear(places: &Places, killed: &Registration, tell: &dyn Fn(&str)) -> Result<usize, Refusal> {
    let home = places.home(&killed.id);
    wait(&home, tell)?;
    let lock = registry::lock(&home.lock())
        .map_err(|error| Refusal::surroundings(format!("{} cannot be locked: {error}", home.lock().display())))?;
    // Another command was quicker, and there is an engine again.
    let Some(_lock) = lock else { return Ok(0) };
    let count = survivors::end(&home.id);
    registry::remove(&home);
    Ok(count)
}
