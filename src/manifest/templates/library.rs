//! Which templates there are: the user's own, and those that come with nagaya.

use std::io;
use std::path::{Path, PathBuf};

use super::super::problem::{Problem, Problems, did_you_mean};
use super::super::read::At;
use super::Place;

/// A template that comes with nagaya.
#[derive(Debug, Clone, Copy)]
pub struct BuiltIn {
    pub name: &'static str,
    pub text: &'static str,
}

macro_rules! built_in {
    ($($name:literal)*) => {
        /// All of them, by name.
        pub const BUILT_IN: &[BuiltIn] =
            &[$(BuiltIn { name: $name, text: include_str!(concat!("../../../templates/", $name, ".yaml")) }),*];
    };
}

built_in! {
    "jaeger" "kafka" "localstack" "mailpit" "mariadb" "memcached" "minio" "mongodb" "mosquitto" "mysql" "nats" "opensearch"
    "postgres" "prometheus" "rabbitmq" "redis" "valkey"
}

impl BuiltIn {
    /// What it is, in a few words.
    pub fn about(&self) -> &'static str {
        about(self.text)
    }
}

/// What the text of a template says that it is.
pub fn about(text: &str) -> &str {
    text.lines().find_map(|line| line.strip_prefix("about: ")).unwrap_or_default()
}

/// Whether a template may be called so, and thus a file of the user's own be one.
pub fn is_name(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// The names of those that come with nagaya, in a sentence.
pub fn known() -> String {
    let names: Vec<&str> = BUILT_IN.iter().map(|it| it.name).collect();
    format!("there are {}, and those in the folders that `templates` names", names.join(", "))
}

/// The source of a template: a file of the folders that the manifest names comes first.
pub fn find(name: &At<String>, folders: &[At<String>], place: &Place<'_>, problems: &mut Problems) -> Option<usize> {
    for folder in folders.iter().filter(|_| is_name(&name.value)) {
        let path = place.dir.join(&folder.value).join(format!("{}.yaml", name.value));
        match own(&path, place, problems) {
            Ok(Some(source)) => return Some(source),
            Ok(None) => {}
            Err(error) => {
                let problem = Problem::error("unreadable_file", format!("template: {}: {error}", path.display()));
                problems.push(problem.at(name.span));
                return None;
            }
        }
    }
    if let Some(built_in) = BUILT_IN.iter().find(|it| it.name == name.value) {
        let path = PathBuf::from(format!("templates/{}.yaml", name.value));
        return Some(problems.sources.add(&path, built_in.text));
    }
    let near = did_you_mean(&name.value, BUILT_IN.iter().map(|it| it.name));
    let problem = Problem::error("unknown_template", format!("there is no template `{}`", name.value));
    problems.push(problem.at(name.span).hint(near.unwrap_or_else(known)));
    None
}

fn own(path: &Path, place: &Place<'_>, problems: &mut Problems) -> io::Result<Option<usize>> {
    match place.files.read(path) {
        Ok(bytes) => {
            let text = String::from_utf8(bytes).map_err(io::Error::other)?;
            Ok(Some(problems.sources.add(path, &text)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
