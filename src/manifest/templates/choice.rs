//! Whether the host's own program runs, or a container.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use super::super::problem::{Problem, Problems};
use super::super::raw::{RunsOn, TemplateUse};
use super::super::source::Span;
use super::{Host, Place, RawTemplate, Values, allows};

/// How a template's service is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// By the host's own program.
    Host {
        program: PathBuf,
        /// Where its companions are: beside the file that a link on PATH leads to.
        dir: PathBuf,
        version: Option<String>,
    },
    /// In a container, of this version where one was asked for.
    Container { version: Option<String> },
}

impl Choice {
    /// Tells texts of it.
    pub fn fill(&self, values: &mut Values) {
        let version = match self {
            Self::Host { program, dir, version } => {
                values.set("program", program.display().to_string());
                values.set("dir", dir.display().to_string());
                version
            }
            Self::Container { version } => version,
        };
        if let Some(version) = version {
            values.set("version", version.clone());
        }
    }
}

/// The host's program where it is there in the version that is asked for, else a container; never another version.
pub fn choose(
    raw: &RawTemplate,
    wanted: &TemplateUse,
    at: Span,
    place: &Place<'_>,
    problems: &mut Problems,
) -> Option<Choice> {
    if let Some(empty) = wanted.version.as_ref().filter(|version| version.value.trim().is_empty()) {
        let problem = Problem::error("bad_version", "a version is not empty").at(empty.span);
        problems.push(problem.hint("without `@` and `version` any version will do"));
        return None;
    }
    let version = wanted.version.as_ref().map(|it| it.value.clone());
    let found = raw.host.as_ref().map(|host| programs(host, version.as_deref(), place)).unwrap_or_default();
    let fits = |known: &Option<String>| match (&version, known) {
        (None, _) => true,
        (Some(wanted), Some(known)) => is_version(known, wanted),
        (Some(_), None) => false,
    };
    if allows(wanted, RunsOn::Host)
        && let Some((program, known)) = found.iter().find(|(_, known)| fits(known))
    {
        let real = place.files.canonical(program).unwrap_or_else(|_| program.clone());
        let dir = real.parent().unwrap_or(Path::new("/")).to_owned();
        return Some(Choice::Host { program: program.clone(), dir, version: known.clone() });
    }
    let here = || {
        let one = |(path, known): &(PathBuf, Option<String>)| match known {
            Some(known) => format!("{known} at {}", path.display()),
            None => path.display().to_string(),
        };
        format!("there is {}", found.iter().map(one).collect::<Vec<_>>().join(", "))
    };
    let name = raw.host.as_ref().and_then(|host| host.program.clone()).unwrap_or_default();
    let asked = version.as_ref().map(|it| format!(" in version {it}")).unwrap_or_default();
    let missing = format!("`{name}` is not on this machine{asked}");
    if raw.container.is_some() && allows(wanted, RunsOn::Container) {
        // Where somebody has the program it may be that one which is meant.
        if !found.is_empty() && allows(wanted, RunsOn::Host) {
            let problem = Problem::warning("other_version", format!("{missing}, so this is a container")).at(at);
            problems.push(problem.hint(format!("{}; `run: container` says that it is meant", here())));
        }
        return Some(Choice::Container { version });
    }
    let problem = Problem::error("no_program", missing).at(at);
    problems.push(match found.is_empty() {
        true => problem.hint(format!("install it, so that `{name}` is on PATH")),
        false => problem.hint(here()),
    });
    None
}

/// The programs of a template and their versions, on PATH first, then the newest. A program whose path does not tell its
/// version, or only the beginning of the one that is wanted, is asked for it.
fn programs(host: &Host, wanted: Option<&str>, place: &Place<'_>) -> Vec<(PathBuf, Option<String>)> {
    let Some(name) = &host.program else { return Vec::new() };
    let path = place.shell.get("PATH").map(String::as_str);
    let places = host.places.clone().unwrap_or_default().0;
    let (on_path, mut elsewhere) = place.files.programs(name, path, &places);
    let told = |path: PathBuf| {
        let real = place.files.canonical(&path).unwrap_or_else(|_| path.clone());
        let by_path = version_in(&real);
        let is_told =
            |wanted: &str| by_path.as_deref().is_some_and(|known| known == wanted || !is_version(wanted, known));
        let version = match wanted.is_none_or(is_told) {
            true => by_path,
            false => place.files.version(&path).or(by_path),
        };
        (path, version)
    };
    elsewhere.sort();
    let mut elsewhere: Vec<_> = elsewhere.into_iter().map(told).collect();
    elsewhere.sort_by(|(_, a), (_, b)| by_version(b.as_deref(), a.as_deref()));
    on_path.into_iter().map(told).chain(elsewhere).collect()
}

/// `16` in `/usr/lib/postgresql/16/bin/postgres`, `16` in `…/postgresql@16/bin/postgres`.
fn version_in(path: &Path) -> Option<String> {
    let is_version = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(|c| c.is_ascii_digit() || c == '.')
    };
    let parts = path.parent()?.components().filter_map(|part| part.as_os_str().to_str());
    parts.filter_map(|part| part.rsplit(['@', '-']).next()).rfind(|text| is_version(text)).map(str::to_owned)
}

/// Whether `17.2` is what is meant by `17`.
fn is_version(known: &str, wanted: &str) -> bool {
    known == wanted || known.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('.'))
}

fn by_version(a: Option<&str>, b: Option<&str>) -> Ordering {
    let numbers = |text: &str| text.split('.').map(|part| part.parse::<u64>().unwrap_or(0)).collect::<Vec<_>>();
    a.map(numbers).cmp(&b.map(numbers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_by_folders_and_compared_by_numbers() {
        let cases = [
            ("/usr/lib/postgresql/16/bin/postgres", Some("16")),
            ("/opt/homebrew/opt/postgresql@17/bin/postgres", Some("17")),
            ("/usr/pgsql-15/bin/postgres", Some("15")),
            ("/usr/bin/redis-server", None),
            ("/opt/app-x/bin/a", None),
        ];
        for (path, version) in cases {
            assert_eq!(version_in(Path::new(path)).as_deref(), version, "{path}");
        }
        assert!(
            is_version("17", "17") && is_version("17.2", "17") && !is_version("17", "1") && !is_version("1.70", "1.7")
        );
        assert_eq!(by_version(Some("9.6"), Some("16")), Ordering::Less);
        assert_eq!(by_version(None, Some("1")), Ordering::Less);
    }
}
