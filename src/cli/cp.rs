//! `nagaya cp`: files between this machine and a service.
//!
//! A container's are reached through its engine. A process has this machine's files, and its paths begin at its folder.

use std::io::{self, IsTerminal, PipeReader, PipeWriter};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use tokio::task::spawn_blocking;

use super::args::Global;
use super::error::Error;
use super::locate::connect;
use super::output::Output;
use crate::api::Client;
use crate::effects::containers::Files;
use crate::effects::copies::{self, Copied, Failure, Kind, Landing, Naming, Source, land, look, pack, resolve, unpack};
use crate::effects::environment;
use crate::effects::places::CONTAINERS as NOTE;

#[derive(Debug, Args)]
pub struct Cp {
    /// `SERVICE:PATH`, a path of this machine, or `-` for an archive from standard input
    pub from: String,
    /// Where it goes, written likewise; `-` is an archive to standard output
    pub to: String,
    /// Which of the service's instances
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub index: u32,
    /// Keep who owns the files
    #[arg(short, long)]
    pub archive: bool,
    /// Copy what a link leads to, and not the link
    #[arg(short = 'L', long)]
    pub follow_link: bool,
}

/// One end, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Written<'a> {
    Here(&'a str),
    Service(&'a str, &'a str),
    Stream,
}

/// One end, as it is reached.
enum End {
    Here { path: PathBuf, written: String },
    Container { files: Files, path: String },
    Stream,
}

/// What is copied, from where.
enum Origin {
    Here(Source, PathBuf),
    Container(Files, Source, String),
    Stream,
}

/// Where it goes.
enum Aim {
    Here(Landing),
    Container(Files, Landing),
    Stream,
}

impl<'a> Written<'a> {
    /// What stands before a colon is a service, unless there is a slash in it: `./a:b` is a file.
    fn read(text: &'a str) -> Self {
        match text.split_once(':') {
            _ if text == "-" => Self::Stream,
            Some((service, path)) if !service.is_empty() && !service.contains('/') && !service.starts_with('.') => {
                Self::Service(service, path)
            }
            _ => Self::Here(text),
        }
    }
}

/// Copies, and tells how much.
pub async fn run(global: &Global, args: Cp, output: &Output) -> Result<ExitCode, Error> {
    let (from, to) = (Written::read(&args.from), Written::read(&args.to));
    let is_service = |end: &Written<'_>| matches!(end, Written::Service(..));
    if !is_service(&from) && !is_service(&to) {
        return Err(Error::usage("one of both is to be a service's: `SERVICE:PATH`"));
    }
    if to == Written::Stream && io::stdout().is_terminal() {
        return Err(Error::usage("standard output is a terminal, and an archive is not to be read there"));
    }
    let (client, engine) = connect(global, output)?;
    let note = engine.state.join(NOTE);
    let reach = Reach { client: &client, note: &note, index: args.index };
    let from = source(reach.end(&from).await?, args.follow_link).await.map_err(Error::failed)?;
    let to = target(reach.end(&to).await?, &from).await.map_err(Error::failed)?;
    let copied = copy(from, to, args.archive).await?;
    tell(copied, &args.to, output);
    Ok(ExitCode::SUCCESS)
}

fn tell(copied: Copied, to: &str, output: &Output) {
    let Copied { files, bytes, left_out } = copied;
    if output.json && to != "-" {
        return output.json(&serde_json::json!({ "files": files, "bytes": bytes, "left_out": left_out }));
    }
    let counted = if files == 1 { "1 file".to_owned() } else { format!("{files} files") };
    output.say(&format!("copied {counted}, {bytes} bytes, to {to}"));
    if left_out > 0 {
        output.tell(&format!("left out, as there are no copies of these: {left_out} devices, pipes or sockets"));
    }
}

/// The way to services.
struct Reach<'a> {
    client: &'a Client,
    note: &'a Path,
    index: u32,
}

impl Reach<'_> {
    async fn end(&self, written: &Written<'_>) -> Result<End, Error> {
        match *written {
            Written::Stream => Ok(End::Stream),
            Written::Here(path) => {
                let here = environment::folder().map_err(|error| Error::failed(error.to_string()))?;
                Ok(End::Here { path: here.join(path), written: path.to_owned() })
            }
            Written::Service(service, path) => self.service(service, path).await,
        }
    }

    async fn service(&self, service: &str, path: &str) -> Result<End, Error> {
        let folder = self.client.env(service).await?.folder;
        let rows = self.client.services().await?;
        let row = rows.into_iter().find(|row| row.id() == (service, self.index));
        let unknown = || Error::usage(format!("{service} has no instance {}", self.index)).hint("nagaya ps");
        let row = row.ok_or_else(unknown)?;
        match row.container {
            None => Ok(End::Here { path: folder.join(path), written: path.to_owned() }),
            Some(_) if row.pid.is_none() => Err(Error::failed(format!("{service} does not run, so it has no files"))
                .hint(format!("nagaya start {service}"))),
            Some(container) => {
                let files = Files::of(self.note, &container).await.map_err(Error::failed)?;
                // As with Docker, paths begin at the root.
                let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
                Ok(End::Container { files, path })
            }
        }
    }
}

async fn source(end: End, follow: bool) -> Result<Origin, String> {
    match end {
        End::Stream => Ok(Origin::Stream),
        End::Here { path, written } => {
            resolve(&path, &written, follow).map(|(source, real)| Origin::Here(source, real))
        }
        End::Container { files, path } => {
            let contents = path.ends_with("/.");
            let plain = path.trim_end_matches("/.").trim_end_matches('/').to_owned();
            let plain = if plain.is_empty() { "/".to_owned() } else { plain };
            let follow = follow || path.ends_with('/') || contents;
            let (found, at) =
                if follow { files.follow(&plain).await? } else { (files.look(&plain).await?, plain.clone()) };
            let found = found.ok_or_else(|| format!("there is no {path} in the container"))?;
            let name = Path::new(&plain).file_name().map_or("root".into(), ToOwned::to_owned);
            // A link that is copied as such is a file, wherever it leads.
            let kind = if found.link.is_some() { Kind::Other } else { found.kind };
            Ok(Origin::Container(files, Source { kind, name, contents }, at))
        }
    }
}

async fn target(end: End, from: &Origin) -> Result<Aim, String> {
    let what = match from {
        Origin::Here(source, _) | Origin::Container(_, source, _) => Some(source),
        Origin::Stream => None,
    };
    match end {
        End::Stream => Ok(Aim::Stream),
        End::Here { path, written } => {
            let path = copies::real(&path).unwrap_or(path);
            let landing = landing(what, &path, &written, look(&path))?;
            check_apart(from, &landing)?;
            Ok(Aim::Here(landing))
        }
        End::Container { files, path } => {
            let plain = path.trim_end_matches("/.");
            let (found, at) = files.follow(if plain.is_empty() { "/" } else { plain }).await?;
            let landing = landing(what, Path::new(&at), &path, found.map(|found| found.kind))?;
            Ok(Aim::Container(files, landing))
        }
    }
}

/// An archive from elsewhere is unpacked in a folder that is there.
fn landing(source: Option<&Source>, path: &Path, written: &str, there: Option<Kind>) -> Result<Landing, String> {
    match (source, there) {
        (Some(source), there) => land(source, path, written, there),
        (None, Some(Kind::Folder)) => Ok(Landing { folder: path.to_owned(), name: Naming::AsIs }),
        (None, _) => Err(format!("{written} is no folder, in which an archive could be unpacked")),
    }
}

/// A folder in itself has no end.
fn check_apart(from: &Origin, landing: &Landing) -> Result<(), String> {
    match from {
        Origin::Here(source, real) if source.kind == Kind::Folder && landing.folder.starts_with(real) => {
            Err(format!("{} is not copied into itself", real.display()))
        }
        Origin::Here(_, real) if landing.path() == *real => Err(format!("{} is there already", real.display())),
        _ => Ok(()),
    }
}

/// Source, renaming and sink side by side, with pipes between them.
async fn copy(from: Origin, to: Aim, archive: bool) -> Result<Copied, Error> {
    let failed = |failure: Failure| match failure {
        Failure::Here(reason) => Error::failed(reason),
        Failure::Elsewhere => Error::failed("the copy was broken off"),
    };
    let ((packed, into), (renamed, out)) = (copies::pipe().map_err(failed)?, copies::pipe().map_err(failed)?);
    let naming = match &to {
        Aim::Here(landing) | Aim::Container(_, landing) => landing.name.clone(),
        Aim::Stream => Naming::AsIs,
    };
    // Whoever is not root can give nothing away.
    let keeps_owners = archive && (!matches!(to, Aim::Here(_)) || rustix::process::geteuid().is_root());
    let middle = blocking(move || {
        copies::rename(packed, out, &naming, keeps_owners)
            .map_err(|error| Failure::at(Path::new("the archive"), &error))
    });
    let (first, middle, last) = tokio::join!(begin(from, into), middle, end(to, renamed, keeps_owners));
    // Whoever knows the reason; the others only saw their pipes close.
    let told = |failure: Option<&Failure>| match failure {
        Some(Failure::Here(reason)) => Some(reason.clone()),
        _ => None,
    };
    let failures = [first.as_ref().err(), middle.as_ref().err(), last.as_ref().err()];
    if let Some(reason) = failures.into_iter().find_map(told) {
        return Err(Error::failed(reason));
    }
    let left_out = first.map_err(failed)?;
    last.map_err(failed)?;
    let copied = middle.map_err(failed)?;
    Ok(Copied { left_out: copied.left_out + left_out, ..copied })
}

async fn begin(from: Origin, into: PipeWriter) -> Result<u64, Failure> {
    match from {
        Origin::Here(source, path) => blocking(move || pack(&path, &source.name, into)).await,
        Origin::Container(files, _, path) => files.pack(&path, into).await.map(|()| 0),
        Origin::Stream => {
            let mut into = into;
            let mut passed = move || io::copy(&mut io::stdin().lock(), &mut into).map(|_| 0);
            blocking(move || passed().map_err(|error| Failure::at(Path::new("standard input"), &error))).await
        }
    }
}

async fn end(to: Aim, from: PipeReader, keeps_owners: bool) -> Result<(), Failure> {
    match to {
        Aim::Here(landing) => blocking(move || unpack(from, &landing, keeps_owners)).await,
        Aim::Container(files, landing) => files.unpack(&landing.folder.to_string_lossy(), from).await,
        Aim::Stream => {
            let mut from = from;
            let mut passed = move || io::copy(&mut from, &mut io::stdout().lock()).map(drop);
            blocking(move || passed().map_err(|error| Failure::at(Path::new("standard output"), &error))).await
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    spawn_blocking(work).await.unwrap_or_else(|error| Err(Failure::Here(error.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_stands_before_a_colon() {
        let cases = [
            ("web:/etc/hosts", Written::Service("web", "/etc/hosts")),
            ("web:", Written::Service("web", "")),
            ("./web:1", Written::Here("./web:1")),
            ("a/b:c", Written::Here("a/b:c")),
            (":x", Written::Here(":x")),
            ("file", Written::Here("file")),
            ("-", Written::Stream),
        ];
        for (text, expected) in cases {
            assert_eq!(Written::read(text), expected, "{text}");
        }
    }
}
