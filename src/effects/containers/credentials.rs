//! Credentials of registries, as `docker login` left them: in Docker's configuration, or with a helper that it names.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bollard::auth::DockerCredentials;
use futures_util::future::join_all;
use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::effects::environment::variable;
use crate::model::show_duration;

/// Docker's own registry, as its configuration calls it.
const HUB: &str = "https://index.docker.io/v1/";
/// How long a helper may take: some ask their user in a window.
const HELPING: Duration = Duration::from_secs(60);

/// What of the configuration is about registries.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Config {
    auths: HashMap<String, Auth>,
    cred_helpers: HashMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Auth {
    auth: Option<String>,
    identitytoken: Option<String>,
}

/// What a helper answers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// Those for the registry of an image; none where nobody logged in there.
pub async fn of_image(image: &str) -> Result<Option<DockerCredentials>, String> {
    of_registry(registry(image)).await
}

/// Those for a registry by the host that is asked; Docker's own is known by another name.
pub async fn of_host(host: &str) -> Result<Option<DockerCredentials>, String> {
    of_registry(if host == "registry-1.docker.io" { HUB.to_owned() } else { host.to_owned() }).await
}

async fn of_registry(registry: String) -> Result<Option<DockerCredentials>, String> {
    let Some(config) = config() else { return Ok(None) };
    match helper(&config, &registry) {
        Some(helper) => ask(helper, &registry).await,
        None => Ok(config.auths.get(&registry).and_then(|auth| stored(&registry, auth))),
    }
}

/// Those for all registries that are known: a build may fetch from any.
pub async fn all() -> Option<HashMap<String, DockerCredentials>> {
    let config = config()?;
    let registries: BTreeSet<&String> = config.auths.keys().chain(config.cred_helpers.keys()).collect();
    let config = &config;
    let one = |registry: &String| {
        let registry = registry.clone();
        async move {
            let found = match helper(config, &registry) {
                // Whether it is needed is not known: then the engine says what is lacking.
                Some(helper) => ask(helper, &registry).await.ok().flatten(),
                None => config.auths.get(&registry).and_then(|auth| stored(&registry, auth)),
            };
            Some((registry, found?))
        }
    };
    let found: HashMap<_, _> = join_all(registries.into_iter().map(one)).await.into_iter().flatten().collect();
    (!found.is_empty()).then_some(found)
}

fn config() -> Option<Config> {
    let folder = variable("DOCKER_CONFIG").map(PathBuf::from);
    let folder = folder.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".docker")))?;
    serde_json::from_slice(&std::fs::read(folder.join("config.json")).ok()?).ok()
}

/// The registry of an image: what stands before the first slash, where that is a host's name.
fn registry(image: &str) -> String {
    let first = image.split_once('/').map(|(first, _)| first);
    let is_host = |name: &&str| name.contains(['.', ':']) || *name == "localhost";
    match first.filter(is_host) {
        Some("docker.io" | "index.docker.io") | None => HUB.to_owned(),
        Some(host) => host.to_owned(),
    }
}

fn helper<'a>(config: &'a Config, registry: &str) -> Option<&'a str> {
    config.cred_helpers.get(registry).or(config.creds_store.as_ref()).map(String::as_str).filter(|it| !it.is_empty())
}

fn stored(registry: &str, auth: &Auth) -> Option<DockerCredentials> {
    let serveraddress = Some(registry.to_owned());
    if let Some(token) = auth.identitytoken.clone().filter(|token| !token.is_empty()) {
        return Some(DockerCredentials { identitytoken: Some(token), serveraddress, ..DockerCredentials::default() });
    }
    let decoded = String::from_utf8(STANDARD.decode(auth.auth.as_deref()?).ok()?).ok()?;
    let (name, password) = decoded.split_once(':')?;
    Some(DockerCredentials {
        username: Some(name.to_owned()),
        password: Some(password.trim_end_matches('\0').to_owned()),
        serveraddress,
        ..DockerCredentials::default()
    })
}

/// Asks a helper, a program that Docker's own client would ask in the same way.
async fn ask(helper: &str, registry: &str) -> Result<Option<DockerCredentials>, String> {
    ask_within(HELPING, &format!("docker-credential-{helper}"), registry).await
}

async fn ask_within(limit: Duration, program: &str, registry: &str) -> Result<Option<DockerCredentials>, String> {
    let failed = |error: std::io::Error| {
        format!("`{program}`, which Docker's configuration names for {registry}, cannot be run: {error}")
    };
    let mut command = Command::new(program);
    command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn().map_err(failed)?;
    if let Some(mut input) = child.stdin.take() {
        // One that reads nothing says so by its exit code.
        let _ = input.write_all(registry.as_bytes()).await;
    }
    let Ok(output) = tokio::time::timeout(limit, child.wait_with_output()).await else {
        let limit = show_duration(limit);
        return Err(format!(
            "`{program}`, which Docker's configuration names for {registry}, did not answer within {limit}"
        ));
    };
    let output = output.map_err(failed)?;
    // That is how it says that it knows none.
    if !output.status.success() {
        return Ok(None);
    }
    let answer: Answer =
        serde_json::from_slice(&output.stdout).map_err(|error| format!("`{program}` answered nonsense: {error}"))?;
    let serveraddress = Some(registry.to_owned());
    // A user by this name has a token in place of a password.
    Ok(Some(match answer.username.as_str() {
        "<token>" => {
            DockerCredentials { identitytoken: Some(answer.secret), serveraddress, ..DockerCredentials::default() }
        }
        _ => DockerCredentials {
            username: Some(answer.username),
            password: Some(answer.secret),
            serveraddress,
            ..DockerCredentials::default()
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_a_registry() {
        let cases = [
            ("postgres:16", HUB),
            ("library/postgres", HUB),
            ("docker.io/library/postgres", HUB),
            ("ghcr.io/shop/web:1", "ghcr.io"),
            ("localhost:5000/web", "localhost:5000"),
            ("localhost/web", "localhost"),
        ];
        for (image, expected) in cases {
            assert_eq!(registry(image), expected, "{image}");
        }
    }

    #[test]
    fn what_docker_stored_is_read() {
        let text = r#"{"auths": {"ghcr.io": {"auth": "bWU6cGE6c3M="}, "x": {"identitytoken": "t"}, "y": {}},
                       "credHelpers": {"gcr.io": "gcloud"}, "credsStore": "", "psFormat": "x"}"#;
        let config: Config = serde_json::from_str(text).unwrap();
        let found = stored("ghcr.io", &config.auths["ghcr.io"]).unwrap();
        assert_eq!((found.username.as_deref(), found.password.as_deref()), (Some("me"), Some("pa:ss")));
        assert_eq!(stored("x", &config.auths["x"]).unwrap().identitytoken.as_deref(), Some("t"));
        assert!(stored("y", &config.auths["y"]).is_none());
        assert_eq!((helper(&config, "gcr.io"), helper(&config, "ghcr.io")), (Some("gcloud"), None));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_helper_that_is_not_there_is_named() {
        let error = ask("no-such-helper", "ghcr.io").await.unwrap_err();
        assert!(error.contains("docker-credential-no-such-helper") && error.contains("ghcr.io"), "{error}");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_helper_is_waited_for_no_longer_than_its_limit() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("docker-credential-slow");
        std::fs::write(&program, "#!/bin/sh\nexec sleep 1000\n").unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let asked = ask_within(Duration::from_millis(50), program.to_str().unwrap(), "ghcr.io");
        let error = asked.await.unwrap_err();
        assert!(error.contains("did not answer within 50ms"), "{error}");
    }
}
