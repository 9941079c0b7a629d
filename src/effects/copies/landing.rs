//! Where a copy arrives, by the rules of `docker cp`, which are those of cp(1) but for what is not there.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Folder,
    /// A file, or a link that is copied as such.
    Other,
}

/// What is copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub kind: Kind,
    /// The last part of its path.
    pub name: OsString,
    /// What is in the folder, and not itself (`/.` at the end).
    pub contents: bool,
}

/// Where it arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Landing {
    /// A folder that is there.
    pub folder: PathBuf,
    pub name: Naming,
}

/// How it is called where it arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Naming {
    /// As in the archive.
    AsIs,
    /// Its first part is this.
    Under(OsString),
    /// Its first part is left out: only what is in the folder arrives.
    Contents,
}

impl Landing {
    /// The path that what is copied will have.
    pub fn path(&self) -> PathBuf {
        match &self.name {
            Naming::Under(name) => self.folder.join(name),
            Naming::AsIs | Naming::Contents => self.folder.clone(),
        }
    }
}

/// Where a source arrives that is copied to `path`, where this is found `there`. `written` is how the user wrote the path.
pub fn land(source: &Source, path: &Path, written: &str, there: Option<Kind>) -> Result<Landing, String> {
    let wants_folder = written.ends_with('/') || written.ends_with("/.") || written == ".";
    match (there, source.kind) {
        (Some(Kind::Folder), Kind::Folder) if source.contents => {
            Ok(Landing { folder: path.to_owned(), name: Naming::Contents })
        }
        (Some(Kind::Folder), _) => Ok(Landing { folder: path.to_owned(), name: Naming::Under(source.name.clone()) }),
        (Some(Kind::Other), Kind::Folder) => {
            Err(format!("{written} is a file, and {} is a folder", source.name.to_string_lossy()))
        }
        (Some(Kind::Other), Kind::Other) if wants_folder => Err(format!("{written} is no folder")),
        (None, Kind::Other) if wants_folder => Err(format!("there is no folder {written}")),
        (Some(Kind::Other) | None, _) => {
            let parts = path.parent().zip(path.file_name());
            let (folder, name) = parts.ok_or_else(|| format!("{written} is no place for a copy"))?;
            Ok(Landing { folder: folder.to_owned(), name: Naming::Under(name.to_owned()) })
        }
    }
}

/// The path of an entry of an archive where it arrives; none for the folder itself of which only the contents do.
pub fn renamed(path: &Path, naming: &Naming) -> Option<PathBuf> {
    let mut parts = path.components().filter(|part| !matches!(part, Component::CurDir));
    let first = match naming {
        Naming::AsIs => None,
        Naming::Under(name) => parts.next().map(|_| Component::Normal(name)),
        Naming::Contents => {
            parts.next()?;
            None
        }
    };
    let whole: PathBuf = first.into_iter().chain(parts).collect();
    (!whole.as_os_str().is_empty()).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(kind: Kind, contents: bool) -> Source {
        Source { kind, name: "src".into(), contents }
    }

    #[test]
    fn a_copy_arrives_where_docker_has_it() {
        let cases = [
            // The source, whether only its contents, what is there, how it is written; the landing.
            (Kind::Other, false, None, "/to/new", Ok(("/to", Some("new")))),
            (Kind::Other, false, None, "/to/new/", Err("there is no folder")),
            (Kind::Other, false, Some(Kind::Other), "/to/old", Ok(("/to", Some("old")))),
            (Kind::Other, false, Some(Kind::Other), "/to/old/", Err("no folder")),
            (Kind::Other, false, Some(Kind::Folder), "/to/dir", Ok(("/to/dir", Some("src")))),
            (Kind::Folder, false, None, "/to/new", Ok(("/to", Some("new")))),
            (Kind::Folder, true, None, "/to/new/", Ok(("/to", Some("new")))),
            (Kind::Folder, false, Some(Kind::Other), "/to/old", Err("is a file")),
            (Kind::Folder, false, Some(Kind::Folder), "/to/dir", Ok(("/to/dir", Some("src")))),
            (Kind::Folder, true, Some(Kind::Folder), "/to/dir", Ok(("/to/dir", None))),
            (Kind::Folder, false, Some(Kind::Folder), "/", Ok(("/", Some("src")))),
        ];
        for (kind, contents, there, written, expected) in cases {
            let found = land(&source(kind, contents), Path::new(written), written, there);
            match (found, expected) {
                (Ok(landing), Ok((folder, name))) => {
                    let name = name.map_or(Naming::Contents, |name| Naming::Under(name.into()));
                    assert_eq!((landing.folder.as_path(), landing.name), (Path::new(folder), name));
                }
                (Err(error), Err(words)) => assert!(error.contains(words), "{error}"),
                (found, expected) => panic!("{written}: {found:?}, not {expected:?}"),
            }
        }
    }

    #[test]
    fn entries_get_another_first_part() {
        let new = Naming::Under("new".into());
        let cases = [
            ("src", &new, Some("new")),
            ("src/", &new, Some("new")),
            ("./src/a/b", &new, Some("new/a/b")),
            ("src/a", &Naming::Contents, Some("a")),
            ("src/", &Naming::Contents, None),
            ("./src/a", &Naming::AsIs, Some("src/a")),
            ("./", &Naming::AsIs, None),
        ];
        for (path, naming, expected) in cases {
            let found = renamed(Path::new(path), naming);
            assert_eq!(found.as_deref(), expected.map(Path::new), "{path}");
        }
    }
}
