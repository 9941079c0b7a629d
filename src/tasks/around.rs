//! The files around those that are read: texts and documents that several runners read are read once.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::formats::json::{self, Dialect};
use super::formats::{Node, toml, yaml};
use super::package_manager::{NodeChoice, node};
use super::tree::{Tree, Unread};
use super::{Position, Unreadable};

/// A tree, and what has been read of it.
pub struct Around<'a> {
    /// The folder that is listed, absolute.
    pub root: &'a Path,
    tree: &'a dyn Tree,
    /// Every file that some runner reads, absolute.
    files: BTreeSet<PathBuf>,
    texts: RefCell<HashMap<PathBuf, Result<Text, Unreadable>>>,
    documents: RefCell<HashMap<PathBuf, Result<Arc<Node>, Unreadable>>>,
    names: RefCell<HashMap<PathBuf, Arc<Vec<String>>>>,
    managers: RefCell<HashMap<PathBuf, Arc<NodeChoice>>>,
    marks: RefCell<HashMap<PathBuf, Arc<Vec<String>>>>,
}

/// The text of a file.
#[derive(Debug, Clone)]
pub struct Text {
    pub text: Arc<str>,
    /// The first place that is not UTF-8, and was replaced.
    pub broken: Option<Position>,
}

impl std::fmt::Debug for Around<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Around").field("root", &self.root).finish_non_exhaustive()
    }
}

impl<'a> Around<'a> {
    pub fn new(root: &'a Path, tree: &'a dyn Tree, files: BTreeSet<PathBuf>) -> Self {
        Self {
            root,
            tree,
            files,
            texts: RefCell::default(),
            documents: RefCell::default(),
            names: RefCell::default(),
            managers: RefCell::default(),
            marks: RefCell::default(),
        }
    }

    /// The text of a file, with whether it is UTF-8.
    pub fn read(&self, path: &Path) -> Result<Text, Unreadable> {
        if let Some(known) = self.texts.borrow().get(path) {
            return known.clone();
        }
        let read = self.tree.read(path).map_err(|error| Unreadable::because(error.to_string())).and_then(decode);
        self.texts.borrow_mut().insert(path.to_owned(), read.clone());
        read
    }

    /// The text of a file.
    pub fn text(&self, path: &Path) -> Result<Arc<str>, Unreadable> {
        Ok(self.read(path)?.text)
    }

    /// The text of a file, or none where there is no such file.
    pub fn text_if_any(&self, path: &Path) -> Option<Result<Arc<str>, Unreadable>> {
        self.is_file(path).then(|| self.text(path))
    }

    pub fn json(&self, path: &Path, dialect: Dialect) -> Result<Arc<Node>, Unreadable> {
        self.parsed(path, |text| json::parse(text, dialect))
    }

    pub fn toml(&self, path: &Path) -> Result<Arc<Node>, Unreadable> {
        self.parsed(path, toml::parse)
    }

    pub fn yaml(&self, path: &Path) -> Result<Arc<Node>, Unreadable> {
        self.parsed(path, yaml::parse)
    }

    /// A document by its ending: YAML, TOML, or JSON with comments.
    pub fn document(&self, path: &Path) -> Result<Arc<Node>, Unreadable> {
        match path.extension().and_then(|it| it.to_str()) {
            Some("toml") => self.toml(path),
            Some("yml" | "yaml") => self.yaml(path),
            _ => self.json(path, Dialect::Comments),
        }
    }

    fn parsed(
        &self,
        path: &Path,
        parse: impl FnOnce(&str) -> Result<Node, Unreadable>,
    ) -> Result<Arc<Node>, Unreadable> {
        if let Some(known) = self.documents.borrow().get(path) {
            return known.clone();
        }
        let parsed = self.text(path).and_then(|text| parse(&text)).map(Arc::new);
        self.documents.borrow_mut().insert(path.to_owned(), parsed.clone());
        parsed
    }

    pub fn is_file(&self, path: &Path) -> bool {
        self.files.contains(path) || self.tree.is_file(path)
    }

    pub fn is_executable(&self, path: &Path) -> bool {
        self.tree.is_executable(path)
    }

    /// The names in a folder, sorted.
    pub fn names(&self, folder: &Path) -> Arc<Vec<String>> {
        let known = self.names.borrow().get(folder).cloned();
        known.unwrap_or_else(|| {
            let names = Arc::new(self.tree.names(folder));
            self.names.borrow_mut().insert(folder.to_owned(), names.clone());
            names
        })
    }

    /// The names in a folder that have a say in which package manager is meant, sorted.
    pub fn marks(&self, folder: &Path) -> Arc<Vec<String>> {
        let known = self.marks.borrow().get(folder).cloned();
        known.unwrap_or_else(|| {
            let names = Arc::new(self.tree.marks(folder));
            self.marks.borrow_mut().insert(folder.to_owned(), names.clone());
            names
        })
    }

    /// The files of a name in a folder and below it that some runner reads.
    pub fn below<'b>(&'b self, folder: &'b Path, name: &'b str) -> impl Iterator<Item = &'b Path> {
        let from = self.files.range(folder.to_path_buf()..);
        from.take_while(move |path| path.starts_with(folder))
            .filter(move |path| path.file_name().is_some_and(|it| it == name))
            .map(PathBuf::as_path)
    }

    /// The nearest folder, this one or above, that has one of these files.
    pub fn nearest<'b>(&self, folder: &'b Path, names: &[&str]) -> Option<(&'b Path, PathBuf)> {
        folder.ancestors().find_map(|folder| {
            let found = names.iter().map(|name| folder.join(name)).find(|path| self.is_file(path))?;
            Some((folder, found))
        })
    }

    /// A path as it is shown: from the root where it is below it.
    pub fn shown(&self, path: &Path) -> String {
        path.strip_prefix(self.root).unwrap_or(path).display().to_string()
    }

    /// The package manager of a folder.
    pub fn node(&self, folder: &Path) -> Arc<NodeChoice> {
        let known = self.managers.borrow().get(folder).cloned();
        known.unwrap_or_else(|| {
            let choice = Arc::new(node(self, folder));
            self.managers.borrow_mut().insert(folder.to_owned(), choice.clone());
            choice
        })
    }
}

impl From<Unread> for Unreadable {
    fn from(unread: Unread) -> Self {
        Self::because(unread.to_string())
    }
}

/// Texts are UTF-8, by a mark at their beginning UTF-16; what is neither has its broken places replaced.
fn decode(bytes: Vec<u8>) -> Result<Text, Unreadable> {
    if let Some(utf16) = utf16(&bytes) {
        return Ok(Text { text: utf16.into(), broken: None });
    }
    if memchr::memchr(0, &bytes[..bytes.len().min(8000)]).is_some() {
        return Err(Unreadable::because("it is no text: it has zero bytes"));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").map(<[u8]>::to_vec).unwrap_or(bytes);
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Text { text: text.into(), broken: None }),
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let text: Arc<str> = String::from_utf8_lossy(error.as_bytes()).into();
            let broken = Some(Position::of(&text, valid));
            Ok(Text { text, broken })
        }
    }
}

/// A text that begins with the mark of UTF-16.
fn utf16(bytes: &[u8]) -> Option<String> {
    let little = match bytes {
        [0xff, 0xfe, ..] => true,
        [0xfe, 0xff, ..] => false,
        _ => return None,
    };
    let unit = |pair: &[u8]| match little {
        true => u16::from_le_bytes([pair[0], pair[1]]),
        false => u16::from_be_bytes([pair[0], pair[1]]),
    };
    let units = bytes[2..].chunks_exact(2).map(unit);
    Some(char::decode_utf16(units).map(|it| it.unwrap_or('\u{fffd}')).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings() {
        let text = |bytes: &[u8]| decode(bytes.to_vec()).map(|it| (it.text.to_string(), it.broken));
        assert_eq!(text(b"\xef\xbb\xbfa\r\n"), Ok(("a\r\n".into(), None)));
        assert_eq!(text(b"\xff\xfea\0"), Ok(("a".into(), None)));
        assert_eq!(text(b"\xfe\xff\0a"), Ok(("a".into(), None)));
        assert_eq!(text(b"a\nb\xe9c"), Ok(("a\nb\u{fffd}c".into(), Some(Position { line: 2, column: 2 }))));
        assert!(text(b"a\0b").is_err());
    }
}
