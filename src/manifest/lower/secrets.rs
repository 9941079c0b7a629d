//! Secrets of a build, by the names under which the manifest has them at its top.

use crate::manifest::problem::{Problem, Problems};
use crate::manifest::raw::Build;
use crate::manifest::read::{At, OrBrief};
use crate::manifest::{did_you_mean, source::Span};
use crate::model::{Secret, SecretSource};

use super::service::Context;

/// Those of a build. One that is not declared, or is nowhere, is a problem.
pub fn secrets(build: &Build, context: &Context<'_>, problems: &mut Problems) -> Vec<Secret> {
    let listed = build.secrets.as_ref().map(|list| list.0.as_slice()).unwrap_or_default();
    let one = |At { value: OrBrief(secret), span }: &At<OrBrief<crate::manifest::raw::BuildSecret>>| {
        let Some(name) = &secret.source else {
            problems.push(Problem::error("missing_key", "a secret of a build needs its `source`").at(*span));
            return None;
        };
        let source = source(name, context, problems)?;
        Some(Secret { id: secret.target.clone().unwrap_or_else(|| name.value.clone()), source })
    };
    listed.iter().filter_map(one).collect()
}

fn source(name: &At<String>, context: &Context<'_>, problems: &mut Problems) -> Option<SecretSource> {
    let declared = context.unit.raw.secrets.as_ref().map(|secrets| &secrets.0);
    let Some(secret) = declared.and_then(|secrets| secrets.get(&name.value)) else {
        let problem = Problem::error("unknown_secret", format!("there is no secret `{}`", name.value)).at(name.span);
        let known = declared.into_iter().flatten().map(|(known, _)| known.as_str());
        let declare = format!("declare it at the top: `secrets: {{ {}: {{ file: ./PATH }} }}`", name.value);
        problems.push(problem.hint(did_you_mean(&name.value, known).unwrap_or(declare)));
        return None;
    };
    match (&secret.value.file, &secret.value.environment) {
        (Some(file), None) => {
            let path = context.unit.dir.join(&file.value);
            if context.files.canonical(&path).is_err() {
                let problem = Problem::error("missing_file", format!("the file `{}` does not exist", file.value));
                problems.push(problem.at(file.span));
                return None;
            }
            Some(SecretSource::File(path))
        }
        (None, Some(variable)) => Some(SecretSource::Variable(variable.clone())),
        _ => {
            problems.push(half(&name.value, secret.key));
            None
        }
    }
}

fn half(name: &str, at: Span) -> Problem {
    Problem::error("bad_secret", format!("the secret `{name}` has to have `file` or `environment`, and not both"))
        .at(at)
}
