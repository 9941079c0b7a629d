//! What a reader sees: its file, and what it may ask of the files around.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Unreadable;
use super::around::Around;
use super::formats::Node;
use super::formats::json::Dialect;

/// One file that is to be read for one runner.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// The file, absolute.
    pub path: &'a Path,
    /// The project's folder, absolute.
    pub folder: &'a Path,
    pub text: &'a str,
    pub around: &'a Around<'a>,
}

impl Look<'_> {
    /// The file as JSON.
    pub fn json(&self) -> Result<Arc<Node>, Unreadable> {
        self.around.json(self.path, Dialect::Strict)
    }

    /// The file as JSON with comments.
    pub fn jsonc(&self) -> Result<Arc<Node>, Unreadable> {
        self.around.json(self.path, Dialect::Comments)
    }

    /// The file as TOML.
    pub fn toml(&self) -> Result<Arc<Node>, Unreadable> {
        self.around.toml(self.path)
    }

    /// The file as YAML.
    pub fn yaml(&self) -> Result<Arc<Node>, Unreadable> {
        self.around.yaml(self.path)
    }

    /// The file by its ending: YAML, TOML, or JSON with comments.
    pub fn document(&self) -> Result<Arc<Node>, Unreadable> {
        self.around.document(self.path)
    }

    /// The file's name.
    pub fn name(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).unwrap_or("")
    }

    /// The file's name without its ending.
    pub fn stem(&self) -> &str {
        self.path.file_stem().and_then(|name| name.to_str()).unwrap_or("")
    }

    /// A path from the file's own folder.
    pub fn beside(&self, path: impl AsRef<Path>) -> PathBuf {
        tidy(&self.path.parent().unwrap_or(self.folder).join(path))
    }

    /// Whether the project's folder has a file.
    pub fn has(&self, name: &str) -> bool {
        self.around.is_file(&self.folder.join(name))
    }

    /// The same look at another file.
    pub fn at<'b>(&self, path: &'b Path, text: &'b str) -> Look<'b>
    where
        Self: 'b,
    {
        Look { path, folder: self.folder, text, around: self.around }
    }
}

/// A path without `.` and `..`, as far as its own text tells.
pub fn tidy(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir if out.file_name().is_some() => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}
