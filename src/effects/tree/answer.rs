//! What was told of a tree's tasks before, told again while all that it was made of looks the same.
//!
//! An answer depends on nothing but what was looked at for it, on this program, and on who asks what. So there is one file
//! for each question, with every path that was looked at: also those where nothing was. It is written whole or not at all.

use std::borrow::Cow;
use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::memory::forget_most;
use super::observed::Observed;
use crate::effects::cache::{read_text, write_text};
use crate::effects::gitignore::settings;
use crate::effects::globs::{shown, unshown};
use crate::effects::look::Look;

/// Longer answers are not kept, in bytes.
const LONGEST: usize = 32 << 20;

/// The place of the answer to a question about a tree.
#[derive(Debug)]
pub struct Answer<'a> {
    file: PathBuf,
    root: &'a Path,
    question: Question,
}

/// Who asks what. The program is told by its file as well: one of the same version may have been made anew.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Question {
    version: String,
    program: Look,
    user: u32,
    root: String,
    /// Where git's settings are looked for, which the environment says.
    settings: Vec<String>,
    text: String,
}

/// What is written down before the answer itself, which follows as it is.
#[derive(Debug, Serialize, Deserialize)]
struct Head<Q, R> {
    question: Q,
    remarks: R,
    /// By path, from the root where it is below it.
    seen: Vec<(String, Look)>,
}

impl<'a> Answer<'a> {
    /// The answer to a question about a tree, in a folder of such answers. Where it cannot be told who asks, there is none.
    pub fn to(root: &'a Path, memories: &Path, question: &str) -> Option<Self> {
        let question = Question {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            program: Look::from(&fs::metadata("/proc/self/exe").ok()?),
            user: rustix::process::geteuid().as_raw(),
            root: shown(root),
            settings: settings().iter().map(|file| shown(file)).collect(),
            text: question.to_owned(),
        };
        let name = format!("{}\0{}", question.root, question.text);
        let file = memories.join(format!("{}.answer", blake3::hash(name.as_bytes()).to_hex()));
        Some(Self { file, root, question })
    }

    /// The answer with what is remarked of it, if it is known and nothing has changed since.
    pub fn known<R: DeserializeOwned>(&self) -> Option<(R, String)> {
        let mut text = read_text(&self.file)?;
        let (head, answer) = text.split_once('\n')?;
        let start = text.len() - answer.len();
        let head: Head<Question, R> = serde_json::from_str(head).ok()?;
        if head.question != self.question || !self.is_same(&head.seen)? {
            return None;
        }
        text.drain(..start);
        Some((head.remarks, text))
    }

    /// Whether all still looks the same. From the root, as then the way there need not be gone for each.
    fn is_same(&self, seen: &[(String, Look)]) -> Option<bool> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(self.root, flags, Mode::empty()).ok()?;
        Some(seen.iter().all(|(path, look)| look.again(folder.as_fd(), &plain(path)) == *look))
    }

    /// Keeps an answer with all that it was made of. Where that will not tell of a change, or it cannot be written down,
    /// nothing is kept.
    pub fn keep(&self, remarks: &impl Serialize, answer: &str, observed: &Observed) {
        let Some(seen) = observed.seen() else { return };
        let from_root = |path: PathBuf| match path.strip_prefix(self.root) {
            Ok(below) if below.as_os_str().is_empty() => ".".to_owned(),
            Ok(below) => shown(below),
            Err(_) => shown(&path),
        };
        let seen = seen.into_iter().map(|(path, look)| (from_root(path), look)).collect();
        let head = Head { question: &self.question, remarks, seen };
        let Ok(head) = serde_json::to_string(&head) else { return };
        let text = format!("{head}\n{answer}");
        if text.len() <= LONGEST && write_text(&self.file, &text).is_ok() {
            forget_most(self.file.parent().unwrap_or(&self.file));
        }
    }
}

/// A path as it is: few have anything in them that is written otherwise.
fn plain(shown: &str) -> Cow<'_, Path> {
    match shown.contains('%') {
        true => Cow::Owned(unshown(shown)),
        false => Cow::Borrowed(Path::new(shown)),
    }
}

#[cfg(test)]
mod tests;
