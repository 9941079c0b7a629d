//! Many files into as many others: on several threads, and onto the disk while more follow.
//!
//! A copy counts for nothing until all of it is on the disk. What is there already when the last file is copied need not be
//! waited for then.

use std::cmp::Reverse;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::num::NonZero;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use super::extents;
use super::tree::{NotCopied, like, not_written};

/// More threads wait for the disk, or for memory, rather than copy.
const MOST_THREADS: usize = 4;
/// What is less is written at the end with everything else: each file that is sent to the disk by itself has its price.
const WORTH_SENDING: u64 = 1 << 20;

/// A file that is to be copied to where none is, and what its original is.
#[derive(Debug)]
pub struct Wanted {
    pub from: PathBuf,
    pub to: PathBuf,
    pub told: Metadata,
}

/// Copies them, in no order; the first that cannot be copied ends it.
pub fn copy(mut wanted: Vec<Wanted>, call_off: &AtomicBool) -> Result<(), NotCopied> {
    // The largest first, so that no thread is left alone with one in the end.
    wanted.sort_by_key(|it| Reverse(it.told.len()));
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS).min(wanted.len());
    let (next, broken) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (sender, due) = sync_channel::<File>(1);
    let work = |sender: SyncSender<File>| {
        while !broken.load(Ordering::Relaxed) {
            let Some(file) = wanted.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
            one(file, &sender, call_off).inspect_err(|_| broken.store(true, Ordering::Relaxed))?;
        }
        Ok(())
    };
    let work = &work;
    thread::scope(|scope| {
        // Whether it went well is seen by who syncs all of it.
        scope.spawn(move || due.into_iter().for_each(|file| drop(file.sync_data())));
        let hands: Vec<_> = (0..threads).map(|_| sender.clone()).map(|it| scope.spawn(move || work(it))).collect();
        drop(sender);
        let ended = hands.into_iter().map(|hand| hand.join().unwrap_or_else(|panic| resume_unwind(panic)));
        // All of them, before one is looked at.
        ended.collect::<Vec<_>>().into_iter().collect()
    })
}

fn one(wanted: &Wanted, sender: &SyncSender<File>, call_off: &AtomicBool) -> Result<(), NotCopied> {
    if call_off.load(Ordering::Relaxed) {
        return Err(NotCopied::CalledOff);
    }
    let Wanted { from, to, told } = wanted;
    let source = File::open(from).map_err(|error| NotCopied::Failed(from.clone(), error))?;
    let target = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
    let target = target.map_err(|error| not_written(to, error))?;
    let wrote = |bytes: u64| {
        // The one that is on its way takes along what is written meanwhile.
        let file = (bytes >= WORTH_SENDING).then(|| target.try_clone());
        let _ = file.and_then(Result::ok).map(|file| sender.try_send(file));
    };
    extents::copy(&source, &target, told.len(), &wrote, call_off).map_err(|error| match error.kind() {
        io::ErrorKind::Interrupted => NotCopied::CalledOff,
        _ => not_written(to, error),
    })?;
    like(&target, told).map_err(|error| not_written(to, error))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    fn wanted(base: &Path, name: &str) -> Wanted {
        let from = base.join(name);
        let told = fs::metadata(&from).unwrap();
        Wanted { from, to: base.join(format!("{name}.copy")), told }
    }

    #[test]
    fn files_of_all_sizes_arrive_whole() {
        let base = tempfile::tempdir().unwrap();
        // Some are worth sending to the disk, and some are not.
        let sizes = [0, 1, 5000, 1 << 20, 5 << 20].into_iter().chain((0..200).map(|n| n * 31));
        let names: Vec<String> = sizes
            .enumerate()
            .map(|(n, size)| {
                let bytes: Vec<u8> = (0..size).map(|at: usize| (at / 7 + n).to_le_bytes()[0]).collect();
                fs::write(base.path().join(n.to_string()), bytes).unwrap();
                n.to_string()
            })
            .collect();
        let all = names.iter().map(|name| wanted(base.path(), name)).collect();
        copy(all, &AtomicBool::new(false)).unwrap();
        for name in names {
            let [one, other] = [name.clone(), format!("{name}.copy")].map(|it| fs::read(base.path().join(it)).unwrap());
            assert!(one == other, "{name}");
        }
        copy(Vec::new(), &AtomicBool::new(false)).unwrap();
    }

    #[test]
    fn the_first_that_cannot_be_copied_ends_it_and_is_named() {
        let base = tempfile::tempdir().unwrap();
        let mut all = Vec::new();
        for n in 0..1000 {
            let name = n.to_string();
            fs::write(base.path().join(&name), [1; 10]).unwrap();
            all.push(wanted(base.path(), &name));
        }
        // It is the largest, and so the first.
        fs::write(base.path().join("gone"), [1; 20]).unwrap();
        all.push(wanted(base.path(), "gone"));
        fs::remove_file(base.path().join("gone")).unwrap();
        let ended = copy(all, &AtomicBool::new(false));
        assert!(matches!(&ended, Err(NotCopied::Failed(at, _)) if *at == base.path().join("gone")), "{ended:?}");
        assert!(fs::read_dir(base.path()).unwrap().count() < 2000, "the others went on to the end");
    }
}
