//! What a build sees: the files of a folder but for those that are left out, and a Dockerfile from wherever that is.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::stream;
use tokio::sync::mpsc;

use super::ignore::Ignored;
use crate::model::Build;

/// The name in the archive of a Dockerfile that is no file of the context.
const OTHER_DOCKERFILE: &str = ".nagaya.dockerfile";
const DOCKERFILE: &str = "Dockerfile";
/// Pieces of an archive that wait for the engine.
const PIECES: usize = 16;
const PIECE: usize = 64 << 10;

/// The files that a build sees.
#[derive(Debug)]
pub struct Context {
    folder: PathBuf,
    /// Relative to the folder, in order.
    paths: Vec<PathBuf>,
    /// Its name in the archive.
    pub dockerfile: String,
    /// The Dockerfile, where it is no file of the context.
    other: Option<Vec<u8>>,
}

impl Context {
    /// What a build sees.
    pub fn read(build: &Build) -> io::Result<Self> {
        let folder = build.context.clone();
        let written = build.dockerfile.as_deref().unwrap_or(Path::new(DOCKERFILE));
        let path = folder.join(written);
        let inside = path.strip_prefix(&folder).ok().filter(|path| !path.starts_with("..")).map(Path::to_owned);
        let missing = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let (dockerfile, other) = match (&build.inline, &inside) {
            (Some(text), _) => (OTHER_DOCKERFILE.to_owned(), Some(text.clone().into_bytes())),
            (None, Some(name)) => {
                std::fs::metadata(&path).map_err(missing)?;
                (name.to_string_lossy().into_owned(), None)
            }
            (None, None) => (OTHER_DOCKERFILE.to_owned(), Some(std::fs::read(&path).map_err(missing)?)),
        };
        let mut own = path.clone().into_os_string();
        own.push(".dockerignore");
        let rules = [PathBuf::from(own), folder.join(".dockerignore")];
        let text = rules.iter().find_map(|file| std::fs::read_to_string(file).ok()).unwrap_or_default();
        let (ignored, mut paths) = (Ignored::read(&text).map_err(io::Error::other)?, Vec::new());
        gather(&folder, Path::new(""), &ignored, &mut paths)?;
        // The engine needs these two whatever the rules say.
        for needed in inside.into_iter().chain([PathBuf::from(".dockerignore")]) {
            if !paths.contains(&needed) && folder.join(&needed).is_file() {
                paths.push(needed);
            }
        }
        paths.sort();
        Ok(Self { folder, paths, dockerfile, other })
    }

    /// Of names, contents and modes, and of all else that decides what is built.
    pub fn hash(&self, build: &Build, args: &HashMap<String, String>, platform: Option<&str>) -> String {
        let mut hasher = blake3::Hasher::new();
        let mut feed = |bytes: &[u8]| {
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        let mut args: Vec<_> = args.iter().collect();
        args.sort();
        feed(format!("{args:?} {:?} {:?} {platform:?} {}", build.target, build.labels, self.dockerfile).as_bytes());
        feed(self.other.as_deref().unwrap_or_default());
        for path in &self.paths {
            let full = self.folder.join(path);
            feed(path.as_os_str().as_encoded_bytes());
            let Ok(metadata) = full.symlink_metadata() else { continue };
            feed(&std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()).to_le_bytes());
            if metadata.is_symlink() {
                feed(std::fs::read_link(&full).unwrap_or_default().as_os_str().as_encoded_bytes());
            } else if metadata.is_file() {
                feed(&std::fs::read(&full).unwrap_or_default());
            }
        }
        hasher.finalize().to_hex().to_string()
    }

    /// The archive, read from the disk as the engine takes it.
    pub fn stream(self) -> impl futures_util::Stream<Item = Result<Bytes, io::Error>> + Send + 'static {
        let (pieces, inbox) = mpsc::channel(PIECES);
        tokio::task::spawn_blocking(move || {
            let mut writer = io::BufWriter::with_capacity(PIECE, Pieces(pieces.clone()));
            if let Err(error) = self.write(&mut writer).and_then(|()| writer.flush()) {
                let _ = pieces.blocking_send(Err(error));
            }
        });
        stream::unfold(inbox, |mut inbox| async move { inbox.recv().await.map(|piece| (piece, inbox)) })
    }

    fn write(&self, into: impl Write) -> io::Result<()> {
        let mut archive = tar::Builder::new(into);
        archive.follow_symlinks(false);
        archive.mode(tar::HeaderMode::Deterministic);
        for path in &self.paths {
            match archive.append_path_with_name(self.folder.join(path), path) {
                // Removed meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => other?,
            }
        }
        if let Some(bytes) = &self.other {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, OTHER_DOCKERFILE, bytes.as_slice())?;
        }
        archive.finish()
    }
}

/// Pieces for a stream.
struct Pieces(mpsc::Sender<Result<Bytes, io::Error>>);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes))).map_err(gone)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// All files, folders and links below a folder that are not left out. Sockets and the like are nothing to build from.
fn gather(folder: &Path, below: &Path, ignored: &Ignored, paths: &mut Vec<PathBuf>) -> io::Result<()> {
    let here = folder.join(below);
    let unread = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", here.display()));
    for entry in std::fs::read_dir(&here).map_err(unread)? {
        let entry = entry.map_err(unread)?;
        let (path, kind) = (below.join(entry.file_name()), entry.file_type().map_err(unread)?);
        let is_out = ignored.leaves_out(&path);
        if !is_out && (kind.is_file() || kind.is_dir() || kind.is_symlink()) {
            paths.push(path.clone());
        }
        if kind.is_dir() && (!is_out || ignored.has_exceptions()) {
            gather(folder, &path, ignored, paths)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(context: &Path) -> Build {
        Build {
            context: context.to_owned(),
            dockerfile: None,
            inline: None,
            args: Vec::new(),
            target: None,
            labels: Vec::new(),
            no_cache: false,
            pull: false,
            secrets: Vec::new(),
            cache_from: Vec::new(),
            network: None,
            tags: Vec::new(),
        }
    }

    fn names(archive: &[u8]) -> Vec<String> {
        let mut archive = tar::Archive::new(archive);
        let entries = archive.entries().unwrap();
        entries.map(|entry| entry.unwrap().path().unwrap().to_string_lossy().trim_end_matches('/').to_owned()).collect()
    }

    #[test]
    fn a_build_sees_what_is_not_left_out_and_is_known_by_it() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("Dockerfile", "FROM scratch\n");
        write(".dockerignore", "Dockerfile\nout\n!out/keep\n");
        write("src/main.c", "int main;");
        write("out/big", "x");
        write("out/keep", "y");
        let build = wanted(folder.path());
        let archive = |build: &Build| {
            let mut bytes = Vec::new();
            Context::read(build).unwrap().write(&mut bytes).unwrap();
            names(&bytes)
        };
        assert_eq!(archive(&build), [".dockerignore", "Dockerfile", "out/keep", "src", "src/main.c"]);
        let inline = Build { inline: Some("FROM scratch".to_owned()), ..build.clone() };
        assert!(archive(&inline).contains(&OTHER_DOCKERFILE.to_owned()));
        let hash = |build: &Build| Context::read(build).unwrap().hash(build, &HashMap::new(), None);
        let first = hash(&build);
        write("out/big", "changed");
        assert_eq!(hash(&build), first, "it is left out");
        write("src/main.c", "int main();");
        assert_ne!(hash(&build), first);
        assert_ne!(hash(&inline), hash(&build));
        let missing = Build { dockerfile: Some("no.dockerfile".into()), ..build };
        assert!(Context::read(&missing).unwrap_err().to_string().contains("no.dockerfile"));
    }
}
