//! The secrets of a build, read before it begins: a command that lacks one would only fail later, with less to read.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::session::Secrets;
use crate::model::{Secret, SecretSource};

/// A secret is no larger (moby/buildkit, session/secrets).
const MOST: u64 = 500 * 1024;

/// Reads them, variables from a shell's.
pub async fn read(secrets: &[Secret], shell: &HashMap<String, String>) -> Result<Secrets, String> {
    let mut found = Secrets::new();
    let mut files: Vec<(String, PathBuf)> = Vec::new();
    for Secret { id, source } in secrets {
        match source {
            SecretSource::File(path) => files.push((id.clone(), path.clone())),
            SecretSource::Variable(name) => {
                let value =
                    shell.get(name).ok_or_else(|| format!("the secret {id}: the variable {name} is not set"))?;
                found.insert(id.clone(), value.clone().into_bytes());
            }
        }
    }
    let read = tokio::task::spawn_blocking(move || {
        let one = |(id, path): (String, PathBuf)| {
            let bytes = read_file(&path).map_err(|reason| format!("the secret {id}: {}: {reason}", path.display()))?;
            Ok((id, bytes))
        };
        files.into_iter().map(one).collect::<Result<Vec<_>, String>>()
    });
    found.extend(read.await.map_err(|error| error.to_string())??);
    Ok(found)
}

fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    if std::fs::metadata(path).map_err(|error| error.to_string())?.len() > MOST {
        return Err(format!("it has more than {MOST} bytes"));
    }
    std::fs::read(path).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn secrets_are_there_before_a_build_or_it_is_said_which_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("token"), "hidden").unwrap();
        std::fs::File::create(path("large")).unwrap().set_len(MOST + 1).unwrap();
        let shell = HashMap::from([("KEY".to_owned(), "value".to_owned())]);
        let secret = |id: &str, source| Secret { id: id.to_owned(), source };
        let both =
            [secret("a", SecretSource::File(path("token"))), secret("b", SecretSource::Variable("KEY".to_owned()))];
        let found = read(&both, &shell).await.unwrap();
        assert_eq!((found["a"].as_slice(), found["b"].as_slice()), (&b"hidden"[..], &b"value"[..]));
        for (source, words) in [
            (SecretSource::File(path("none")), "No such file"),
            (SecretSource::File(path("large")), "more than"),
            (SecretSource::Variable("NONE".to_owned()), "the variable NONE is not set"),
        ] {
            let error = read(&[secret("x", source)], &shell).await.unwrap_err();
            assert!(error.starts_with("the secret x: ") && error.contains(words), "{error}");
        }
    }
}
