//! What is no file, where the store has files.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use super::{Lab, Unusable};
use crate::pipeline::Record;

/// What is put in the place of a file.
const STRANGERS: [fn(&Path); 3] = [fifo, folder, link];

fn fifo(path: &Path) {
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
}

fn folder(path: &Path) {
    fs::create_dir(path).unwrap();
    fs::write(path.join("in"), "x").unwrap();
}

/// To a pipe, so that whoever follows it waits.
fn link(path: &Path) {
    let pipe = path.with_extension("pipe");
    let _ = fs::remove_file(&pipe);
    fifo(&pipe);
    std::os::unix::fs::symlink(pipe, path).unwrap();
}

fn replace(path: &Path, stranger: fn(&Path)) {
    let _ = fs::remove_file(path);
    stranger(path);
}

/// Does it elsewhere, as what waits for a pipe waits for ever.
fn within<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, waits) = mpsc::channel();
    std::thread::spawn(move || done.send(work()));
    waits.recv_timeout(Duration::from_secs(20)).expect("it ends")
}

/// A result, and the file of its `dist/a`.
fn kept() -> (Lab, Record, PathBuf) {
    let lab = Lab::new();
    let record = lab.keep("x").unwrap();
    let blob = lab.blob("A");
    (lab, record, blob)
}

#[test]
fn content_that_is_no_file_is_damaged_and_healed() {
    for stranger in STRANGERS {
        let (lab, record, blob) = kept();
        replace(&blob, stranger);
        within(move || {
            assert!(matches!(lab.restore(&record), Err(Unusable::Damaged(what)) if what == "dist/a"));
            assert!(fs::symlink_metadata(&blob).is_err(), "it was thrown away");
            lab.write("dist/a", "A");
            lab.restore(&lab.keep("x").unwrap()).unwrap();
        });
        // Also where nobody has found out before.
        let (lab, _, blob) = kept();
        replace(&blob, stranger);
        within(move || lab.restore(&lab.keep("x").unwrap()).unwrap());
    }
}

#[test]
fn a_record_that_is_no_file_is_none_and_is_written_again() {
    for stranger in STRANGERS {
        let (lab, record, _) = kept();
        let store = lab.dir.path().join("store");
        lab.store.set_last("task", &record).unwrap();
        lab.check(&record);
        for file in [lab.store.result(&record.key), lab.store.last_file("task"), lab.store.intact_file(&record.key.0)] {
            assert!(file.starts_with(&store) && file.is_file());
            replace(&file, stranger);
        }
        within(move || {
            assert_eq!((lab.store.find(&record.key), lab.store.last("task")), (None, None));
            lab.restore(&record).unwrap();
            let again = lab.keep("x").unwrap();
            lab.store.set_last("task", &again).unwrap();
            assert_eq!((lab.store.find(&again.key), lab.store.last("task")), (Some(again.clone()), Some(again)));
        });
    }
}

#[test]
fn what_is_no_file_goes_when_there_is_too_much() {
    for stranger in STRANGERS {
        let lab = Lab::with_limit(64);
        let record = lab.keep("x").unwrap();
        replace(&lab.store.result(&record.key), stranger);
        replace(&lab.blob("A"), stranger);
        replace(&lab.dir.path().join("store/added"), fifo);
        within(move || {
            lab.store.count(1000);
            assert!(!lab.store.tidy().unwrap(), "nothing was counted");
            assert!(lab.store.tidy_alone().unwrap());
            assert_eq!(lab.blobs().len(), 0);
            lab.store.count(1000);
            assert!(lab.store.tidy().unwrap());
        });
    }
}
