//! Building images: the files of a context go to the engine as one archive, and what it says into a log.
//!
//! Whether anything changed since the last build is told by a hash of all that goes into it, which the image bears as a
//! label: neither a change is missed nor an archive sent in vain.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bollard::query_parameters::BuildImageOptions;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;

use super::credentials;
use super::engine::{Engine, said, told};
use super::ignore::Ignored;
use super::image::Words;
use crate::model::{Build, Image};

/// The label with the hash.
const MADE_OF: &str = "nagaya.made-of";
/// The name in the archive of a Dockerfile that is no file of the context.
const OTHER_DOCKERFILE: &str = ".nagaya.dockerfile";
const DOCKERFILE: &str = "Dockerfile";
/// Pieces of an archive that wait for the engine.
const PIECES: usize = 16;
const PIECE: usize = 64 << 10;

/// What is to be built.
#[derive(Debug)]
pub struct Job<'a> {
    /// The name that the image is to have.
    pub name: &'a str,
    pub image: &'a Image,
    pub shell: &'a HashMap<String, String>,
    /// Whatever is there is too old.
    pub is_old: bool,
}

/// The tag of an image without a name: builds that are alike share it.
pub fn key(build: &Build, platform: Option<&str>) -> String {
    let text = format!("{build:?} {platform:?}");
    blake3::hash(text.as_bytes()).to_hex().chars().take(12).collect()
}

/// Builds an image, unless it is there and made of the same.
pub async fn build(engine: &Engine, build: &Build, job: &Job<'_>, words: &mut Words) -> Result<(), String> {
    let args: HashMap<String, String> = build
        .args
        .iter()
        .filter_map(|(key, value)| Some((key.clone(), value.clone().or_else(|| job.shell.get(key).cloned())?)))
        .collect();
    let (wanted, own, platform) = (build.clone(), args.clone(), job.image.platform.clone());
    let read = tokio::task::spawn_blocking(move || {
        let context = Context::read(&wanted)?;
        let made_of = context.hash(&wanted, &own, platform.as_deref());
        Ok::<_, io::Error>((context, made_of))
    });
    let read = read.await.map_err(|error| error.to_string())?;
    let (context, made_of) = read.map_err(|error| format!("the build: {error}"))?;
    let labels = |it: bollard::models::ImageInspect| it.config?.labels;
    let known = engine.docker.inspect_image(job.name).await.ok().and_then(labels);
    if !job.is_old && known.is_some_and(|labels| labels.get(MADE_OF) == Some(&made_of)) {
        return Ok(());
    }
    words.line(&format!("building {} from {}", job.name, build.context.display())).await;
    let labels = build.labels.iter().cloned().chain([(MADE_OF.to_owned(), made_of)]);
    let options = BuildImageOptions {
        dockerfile: context.dockerfile.clone(),
        t: Some(job.name.to_owned()),
        nocache: build.no_cache,
        pull: build.pull.then(|| "true".to_owned()),
        rm: true,
        forcerm: true,
        buildargs: (!args.is_empty()).then_some(args),
        labels: Some(labels.collect()),
        target: build.target.clone().unwrap_or_default(),
        platform: job.image.platform.clone().unwrap_or_default(),
        ..BuildImageOptions::default()
    };
    let archive = bollard::body_try_stream(context.stream());
    let docker = engine.patient();
    let asked = "waiting for the helpers that Docker's configuration names for registries";
    let credentials = told(credentials::all(), words.line(asked)).await;
    let mut news = docker.build_image(options, credentials, Some(archive));
    while let Some(one) = news.next().await {
        let failed = |error| format!("the image {} could not be built: {}", job.name, said(&error));
        let one = one.map_err(failed)?;
        if let Some(text) = one.stream.as_deref().or(one.status.as_deref()).filter(|text| !text.trim().is_empty()) {
            words.line(text).await;
        }
    }
    Ok(())
}

/// The files that a build sees.
#[derive(Debug)]
struct Context {
    folder: PathBuf,
    /// Relative to the folder, in order.
    paths: Vec<PathBuf>,
    /// Its name in the archive.
    dockerfile: String,
    /// The Dockerfile, where it is no file of the context.
    other: Option<Vec<u8>>,
}

impl Context {
    fn read(build: &Build) -> io::Result<Self> {
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
    fn hash(&self, build: &Build, args: &HashMap<String, String>, platform: Option<&str>) -> String {
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
    fn stream(self) -> impl futures_util::Stream<Item = Result<Bytes, io::Error>> + Send + 'static {
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
