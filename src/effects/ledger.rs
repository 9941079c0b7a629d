//! The file in which changes of dtabs are written down, one a line, each on the disk before anybody is told of it.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::fs;
use crate::route::history::{self, Dtabs, Record};

/// The history of a workspace. Whoever has it is the only one who writes it.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    /// None before the first change, and after a failure.
    file: Option<File>,
    /// How much of the file is whole lines.
    whole: u64,
}

impl Ledger {
    /// Reads the history of a workspace, with words to the user about what could not be read.
    pub fn open(path: PathBuf) -> (Self, Dtabs, Vec<String>) {
        match read(&path) {
            Ok(read) => (Self::at(path), read.dtabs, read.notices),
            Err(error) => {
                let notice = format!("the routes' history {} cannot be read: {error}", path.display());
                (Self::at(path), Dtabs::default(), vec![notice])
            }
        }
    }

    fn at(path: PathBuf) -> Self {
        Self { path, file: None, whole: 0 }
    }

    /// Writes a change down. When this returns it is on the disk, or the file is as it was before.
    pub fn append(&mut self, record: &Record) -> io::Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.reopen()?,
        };
        if let Err(error) = file.write_all(&line).and_then(|()| file.sync_data()) {
            // Where even that fails, the next one that opens it cuts off what is not whole.
            let _ = file.set_len(self.whole);
            return Err(error);
        }
        self.whole += line.len() as u64;
        self.file = Some(file);
        Ok(())
    }

    /// The file without what is not whole.
    fn reopen(&mut self) -> io::Result<File> {
        let is_new = !fs::exists(&self.path);
        let file = fs::open_log(&self.path)?;
        self.whole = read(&self.path)?.whole as u64;
        file.set_len(self.whole)?;
        // A file that is new is on the disk when its folder is.
        if let Some(folder) = self.path.parent().filter(|_| is_new) {
            File::open(folder)?.sync_all()?;
        }
        Ok(file)
    }
}

/// All changes of a dtab, in the order in which they were made; `None` for the workspace's own.
pub fn history(path: &Path, namespace: Option<&str>) -> io::Result<Vec<Record>> {
    let records = read(path)?.records;
    Ok(records.into_iter().filter(|record| record.namespace.as_deref() == namespace).collect())
}

fn read(path: &Path) -> io::Result<history::Read> {
    match std::fs::read(path) {
        Ok(text) => Ok(history::read(&text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(history::Read::default()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::history::{Action, Author, Change, Decision};

    fn put(ledger: &mut Ledger, dtabs: &mut Dtabs, text: &str) {
        let action = Action::Put { dtab: text.parse().unwrap(), if_version: None };
        let change = Change { namespace: None, who: Author::new("me"), action };
        let Ok(Decision::Write(record)) = dtabs.decide(&change, "now") else { panic!("it is a change") };
        ledger.append(&record).unwrap();
        dtabs.accept(&record).unwrap();
    }

    #[test]
    fn what_was_written_is_found_again_and_what_was_torn_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("routes.jsonl");
        let (mut ledger, mut dtabs, notices) = Ledger::open(path.clone());
        assert_eq!((dtabs.own().version, notices.len()), (0, 0));
        assert!(!path.exists(), "who changes nothing has no history");
        put(&mut ledger, &mut dtabs, "/a=>/1");
        put(&mut ledger, &mut dtabs, "/a=>/2");
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"version\":3,").unwrap();
        let (mut ledger, mut again, notices) = Ledger::open(path.clone());
        assert_eq!((&again, notices.len()), (&dtabs, 1));
        put(&mut ledger, &mut again, "/a=>/3");
        let kept: Vec<_> = history(&path, None).unwrap().into_iter().map(|it| (it.version, it.dtab.unwrap())).collect();
        let expected = [(1, "/a=>/1"), (2, "/a=>/2"), (3, "/a=>/3")].map(|(version, dtab)| (version, dtab.to_owned()));
        assert_eq!(kept, expected);
        assert_eq!(Ledger::open(path).2, [""; 0]);
    }

    #[test]
    fn a_file_that_is_taken_away_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("routes.jsonl");
        let (mut ledger, mut dtabs, _) = Ledger::open(path.clone());
        put(&mut ledger, &mut dtabs, "/a=>/1");
        std::fs::remove_dir_all(folder.path()).unwrap();
        let (mut ledger, mut dtabs, _) = Ledger::open(path.clone());
        let action = Action::Put { dtab: "/a=>/2".parse().unwrap(), if_version: None };
        let change = Change { namespace: None, who: Author::new("me"), action };
        let Ok(Decision::Write(record)) = dtabs.decide(&change, "now") else { panic!("it is a change") };
        assert!(ledger.append(&record).is_err(), "there is no folder");
        std::fs::create_dir(folder.path()).unwrap();
        put(&mut ledger, &mut dtabs, "/a=>/3");
        assert_eq!(history(&path, None).unwrap().len(), 1);
    }
}
