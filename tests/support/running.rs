//! A command of nagaya that has not ended yet.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::process::Child;
use std::time::Instant;

use super::sandbox::{PATIENCE, Run, code, pause, signal};

/// A nagaya that runs.
pub struct Running {
    pub child: Child,
    pub(super) out: PathBuf,
    pub(super) err: PathBuf,
}

impl Running {
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.out).unwrap()).into_owned()
    }

    /// The end of its output, of which there may be much.
    pub fn out_end(&self) -> String {
        const MOST: u64 = 200;
        let (mut file, mut end) = (fs::File::open(&self.out).unwrap(), Vec::new());
        let length = file.seek(SeekFrom::End(0)).unwrap();
        file.seek(SeekFrom::Start(length.saturating_sub(MOST))).unwrap();
        file.read_to_end(&mut end).unwrap();
        String::from_utf8_lossy(&end).into_owned()
    }

    pub fn err(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.err).unwrap()).into_owned()
    }

    /// Sends it a signal, by its name.
    pub fn signal(&self, name: &str) {
        signal(name, self.child.id());
    }

    /// Waits for its end.
    #[track_caller]
    pub fn end(mut self) -> Run {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if begun.elapsed() > PATIENCE {
                let _ = self.child.kill();
                panic!("it does not end\n--- out\n{}\n--- err\n{}", self.out(), self.err());
            }
            pause(begun);
        };
        Run { code: code(status), out: self.out(), err: self.err() }
    }
}
