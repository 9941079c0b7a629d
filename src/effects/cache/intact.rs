//! Which of the store's files need not be read to know that they are what they should be.
//!
//! To hash a file takes as long as to copy it. A file of the store is never written to, only made anew and put in its place:
//! so one that was checked is still good while its number, size and times are the same. What a power failure leaves is not
//! told by these, so nothing is believed from before the machine was started.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::{Store, read_checked, write_checked};
use crate::effects::look::{Look, has_honest_times, settled};
use crate::pipeline::Key;

/// What is written down for a result.
#[derive(Debug, Serialize, Deserialize)]
struct Text {
    /// The kernel's name for the time since the machine was started.
    boot: String,
    /// By the hash of their content.
    files: HashMap<String, Look>,
}

/// The files of a result that are known to be good, and those that turn out to be.
#[derive(Debug)]
pub struct Intact {
    file: PathBuf,
    known: Text,
    found: Mutex<HashMap<String, Look>>,
    settled: i64,
}

impl Store {
    /// What is known of the files of a result; nothing where times may not tell of a change.
    pub(super) fn intact(&self, key: &Key) -> Option<Intact> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let settled = settled().filter(|_| has_honest_times(&self.root))?;
        let file = self.intact_file(&key.0);
        let known = read_checked(&file).filter(|text: &Text| text.boot == boot);
        let known = known.unwrap_or_else(|| Text { boot, files: HashMap::new() });
        Some(Intact { file, known, found: Mutex::default(), settled })
    }

    /// The file about a result, by its key.
    pub(super) fn intact_file(&self, key: &str) -> PathBuf {
        self.root.join("intact").join(key)
    }
}

impl Intact {
    /// Whether a file that looks like this has the content that its name tells.
    pub fn has(&self, hash: &str, look: &Look) -> bool {
        self.known.files.get(hash) == Some(look)
    }

    /// A file that looked like this before it was read has the content that its name tells.
    pub fn found(&self, hash: &str, look: Look) {
        if look.is_settled(self.settled) {
            self.found.lock().unwrap_or_else(PoisonError::into_inner).insert(hash.to_owned(), look);
        }
    }

    /// The same, believing what changed before a time.
    #[cfg(test)]
    pub fn settled_before(self, settled: i64) -> Self {
        Self { settled, ..self }
    }

    /// Writes down what was found. Where that fails, all is checked again.
    pub fn save(mut self) {
        let found = self.found.into_inner().unwrap_or_else(PoisonError::into_inner);
        if !found.is_empty() {
            self.known.files.extend(found);
            let _ = write_checked(&self.file, &self.known);
        }
    }
}
