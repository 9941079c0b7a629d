//! Which engine of containers is meant: what `DOCKER_HOST` or a context of Docker's says, else one that is there.

use std::fmt;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::effects::environment::variable;

/// Where an engine listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    Socket(PathBuf),
    /// `HOST:PORT` of this machine.
    Tcp(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "{}", path.display()),
            Self::Tcp(address) => f.write_str(address),
        }
    }
}

/// Why there is none, in words that help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Absent(pub String);

/// Where engines listen that nobody has told of, relative to the folders of a user.
const IN_HOME: [&str; 5] = [
    ".docker/run/docker.sock",
    ".docker/desktop/docker.sock",
    ".colima/default/docker.sock",
    ".orbstack/run/docker.sock",
    ".rd/docker.sock",
];
const IN_RUNTIME: [&str; 2] = ["docker.sock", "podman/podman.sock"];
const OF_SYSTEM: [&str; 2] = ["/var/run/docker.sock", "/run/podman/podman.sock"];

/// The engine that is meant. Looks at files and sockets, so it belongs off the loop.
pub fn find() -> Result<Place, Absent> {
    let text = |name: &str| variable(name).map(|it| it.to_string_lossy().into_owned()).filter(|it| !it.is_empty());
    if let Some(host) = text("DOCKER_HOST") {
        return place(&host, "`DOCKER_HOST`");
    }
    let home = text("HOME").map(PathBuf::from);
    let config = text("DOCKER_CONFIG").map(PathBuf::from).or_else(|| Some(home.as_ref()?.join(".docker")));
    let context = text("DOCKER_CONTEXT").or_else(|| current_context(config.as_deref()?));
    if let Some(name) = context.filter(|name| name != "default") {
        let host = config.as_deref().and_then(|folder| host_of_context(folder, &name));
        let missing = || Absent(format!("Docker's context `{name}` is not there; `docker context ls` lists them"));
        return place(&host.ok_or_else(missing)?, &format!("the context `{name}`"));
    }
    let below = |folder: Option<PathBuf>, names: &'static [&'static str]| {
        folder.into_iter().flat_map(move |folder| names.iter().map(move |name| folder.join(name)))
    };
    let runtime = text("XDG_RUNTIME_DIR").map(PathBuf::from);
    let known = OF_SYSTEM[..1].iter().map(PathBuf::from);
    let known = known.chain(below(runtime, &IN_RUNTIME)).chain(below(home, &IN_HOME));
    first_that_answers(known.chain(OF_SYSTEM[1..].iter().map(PathBuf::from)))
}

fn first_that_answers(sockets: impl Iterator<Item = PathBuf>) -> Result<Place, Absent> {
    let mut refused = None;
    for path in sockets {
        match UnixStream::connect(&path) {
            Ok(_) => return Ok(Place::Socket(path)),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                refused.get_or_insert_with(|| forbidden(&path));
            }
            Err(_) => {}
        }
    }
    Err(refused.unwrap_or_else(|| {
        Absent(
            "no engine of containers answers here: start Docker (`sudo systemctl start docker`) or Podman (`systemctl \
             --user start podman.socket`), install one (`apt install docker.io`), or set `DOCKER_HOST`"
                .to_owned(),
        )
    }))
}

/// What is said where an engine is there and this account may not use it.
pub fn forbidden(path: &Path) -> Absent {
    Absent(format!(
        "this account may not use {}: `sudo usermod -aG docker $USER` and a new login allow it, as does Docker without root",
        path.display()
    ))
}

/// A place as `DOCKER_HOST` has it.
fn place(host: &str, by: &str) -> Result<Place, Absent> {
    let (scheme, rest) = host.split_once("://").unwrap_or(("unix", host));
    match scheme {
        "unix" => Ok(Place::Socket(PathBuf::from(rest))),
        "tcp" | "http" => {
            let address = rest.trim_end_matches('/');
            let name = address.rsplit_once(':').map_or(address, |(name, _)| name);
            if ["localhost", "127.0.0.1", "[::1]"].contains(&name) {
                return Ok(Place::Tcp(address.to_owned()));
            }
            Err(Absent(format!(
                "{by} is {host}, an engine of another machine: its containers cannot be in one network with what runs \
                 here; use an engine of this machine"
            )))
        }
        "ssh" => Err(Absent(format!(
            "{by} is {host}, and engines are not used over ssh: their containers would be in another network; use one of \
             this machine (`DOCKER_HOST=unix:///var/run/docker.sock`), or run nagaya there"
        ))),
        _ => Err(Absent(format!("{by} is {host}: `{scheme}` is not known here; write `unix:///PATH`"))),
    }
}

fn json(path: &Path) -> Option<serde_json::Value> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

fn current_context(config: &Path) -> Option<String> {
    let name = json(&config.join("config.json"))?.get("currentContext")?.as_str()?.to_owned();
    Some(name).filter(|name| !name.is_empty())
}

/// Folders of contexts are called after hashes of their names; the names are in the files.
fn host_of_context(config: &Path, name: &str) -> Option<String> {
    let folders = std::fs::read_dir(config.join("contexts/meta")).ok()?;
    let mut metas = folders.flatten().filter_map(|folder| json(&folder.path().join("meta.json")));
    let meta = metas.find(|meta| meta.get("Name").and_then(|it| it.as_str()) == Some(name))?;
    Some(meta.get("Endpoints")?.get("docker")?.get("Host")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_sockets_of_this_machine() {
        let socket = |path: &str| Ok(Place::Socket(PathBuf::from(path)));
        assert_eq!(place("unix:///run/x.sock", "it"), socket("/run/x.sock"));
        assert_eq!(place("/run/x.sock", "it"), socket("/run/x.sock"));
        assert_eq!(place("tcp://127.0.0.1:2375", "it"), Ok(Place::Tcp("127.0.0.1:2375".to_owned())));
        for (host, said) in [
            ("ssh://me@there", "not used over ssh"),
            ("tcp://192.0.2.1:2375", "another machine"),
            ("npipe:////./pipe/docker", "`npipe` is not known"),
        ] {
            let error = place(host, "`DOCKER_HOST`").unwrap_err().to_string();
            assert!(error.contains(said) && error.starts_with("`DOCKER_HOST` is"), "{error}");
        }
    }

    #[test]
    fn contexts_are_found_by_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let meta = folder.path().join("contexts/meta/1f2e");
        std::fs::create_dir_all(&meta).unwrap();
        let text = r#"{"Name":"rootless","Endpoints":{"docker":{"Host":"unix:///run/user/1/docker.sock"}}}"#;
        std::fs::write(meta.join("meta.json"), text).unwrap();
        std::fs::write(folder.path().join("config.json"), r#"{"currentContext":"rootless"}"#).unwrap();
        assert_eq!(current_context(folder.path()).as_deref(), Some("rootless"));
        let host = host_of_context(folder.path(), "rootless");
        assert_eq!(host.as_deref(), Some("unix:///run/user/1/docker.sock"));
        assert_eq!(host_of_context(folder.path(), "other"), None);
    }

    #[test]
    fn a_socket_that_answers_goes_before_one_that_is_only_there() {
        let folder = tempfile::tempdir().unwrap();
        let (stale, living) = (folder.path().join("stale"), folder.path().join("living"));
        drop(std::os::unix::net::UnixListener::bind(&stale).unwrap());
        let _listener = std::os::unix::net::UnixListener::bind(&living).unwrap();
        let found = first_that_answers([stale.clone(), living.clone()].into_iter());
        assert_eq!(found, Ok(Place::Socket(living)));
        assert!(first_that_answers([stale].into_iter()).unwrap_err().0.contains("DOCKER_HOST"));
    }
}
