//! `watch`: which files, and what follows from their change.

use globset::Glob;
use ignore::gitignore::GitignoreBuilder;

use crate::manifest::problem::{Problem, Problems};
use crate::manifest::raw::{Action, Watch as RawWatch};
use crate::manifest::read::{At, OneOrMany, OrBrief, not_built};
use crate::manifest::source::Span;
use crate::model::{Reaction, Signal, Strategy, Watch};

use super::service::lower_command;

/// All watches of a service. Those that only restart it are one, so that a save restarts it once.
pub fn lower_watch(
    raw: Option<&OneOrMany<At<OrBrief<RawWatch>>>>,
    has_setup: bool,
    problems: &mut Problems,
) -> Vec<Watch> {
    let mut all: Vec<Watch> = Vec::new();
    for At { value: OrBrief(raw), span } in raw.map(|raw| raw.0.as_slice()).unwrap_or_default() {
        let Some(watch) = one(raw, *span, has_setup, problems) else { continue };
        let same = |known: &&mut Watch| {
            (&known.reaction, &known.ignore, known.recreate) == (&watch.reaction, &watch.ignore, watch.recreate)
        };
        match all.iter_mut().find(same) {
            Some(known) => known.paths.extend(watch.paths),
            None => all.push(watch),
        }
    }
    all
}

fn one(raw: &RawWatch, span: Span, has_setup: bool, problems: &mut Problems) -> Option<Watch> {
    let empty = Vec::new();
    let paths = raw.paths.as_ref().map_or(&empty, |paths| &paths.0);
    let ignore = raw.ignore.as_ref().map_or(&empty, |ignore| &ignore.0);
    if paths.is_empty() {
        problems.push(Problem::error("missing_key", "a watch needs `paths`").at(span));
        return None;
    }
    for path in paths {
        if let Err(error) = Glob::new(&path.value) {
            problems.push(bad_pattern(path, &error.kind().to_string()));
        }
    }
    for pattern in ignore {
        if let Err(error) = GitignoreBuilder::new("/").add_line(None, &pattern.value) {
            problems.push(bad_pattern(pattern, &error.to_string()));
        }
    }
    if let Some(strategy) = raw.strategy.as_ref().filter(|it| it.value.0 == Strategy::Rolling) {
        problems.push(not_built("`strategy: rolling`", strategy.span));
    }
    let texts = |list: &[At<String>]| list.iter().map(|text| text.value.clone()).collect();
    let reaction = reaction(raw, span, has_setup, problems)?;
    let recreate = raw.strategy.as_ref().is_some_and(|it| it.value.0 == Strategy::Recreate);
    Some(Watch { paths: texts(paths), ignore: texts(ignore), reaction, recreate })
}

fn bad_pattern(pattern: &At<String>, reason: &str) -> Problem {
    Problem::error("bad_pattern", format!("`{}` is no pattern of paths: {reason}", pattern.value)).at(pattern.span)
}

fn reaction(raw: &RawWatch, span: Span, has_setup: bool, problems: &mut Problems) -> Option<Reaction> {
    let (action, at) = raw.action.as_ref().map_or((Action::Restart, span), |word| (word.value.0, word.span));
    unused(raw, action, problems);
    match action {
        Action::Restart => Some(Reaction::Restart),
        Action::Signal => Some(Reaction::Signal(raw.signal.as_ref().map_or(Signal::HUP, |word| word.value.0))),
        Action::Rebuild if has_setup => Some(Reaction::Rebuild),
        Action::Rebuild => {
            let problem = Problem::error("missing_key", "`action: rebuild` needs `setup` steps, which it runs again");
            problems.push(problem.at(at).hint("add `setup: [the command that builds it]` to the service"));
            None
        }
        Action::Run => match &raw.command {
            Some(command) => Some(Reaction::Run(lower_command(&command.value))),
            None => {
                let problem = Problem::error("missing_key", "`action: run` needs a `command`");
                problems.push(problem.at(at).hint("add `command: …` beside it"));
                None
            }
        },
    }
}

/// What is written for another action than the one that there is.
fn unused(raw: &RawWatch, action: Action, problems: &mut Problems) {
    let keys = [
        ("signal", raw.signal.as_ref().map(|it| it.span), Action::Signal, "signal"),
        ("command", raw.command.as_ref().map(|it| it.span), Action::Run, "run"),
    ];
    for (key, span, wanted, word) in keys {
        if let Some(span) = span.filter(|_| action != wanted) {
            let problem = Problem::error("unused_key", format!("`{key}` means something with `action: {word}` only"));
            problems.push(problem.at(span).hint(format!("add `action: {word}`, or remove `{key}`")));
        }
    }
}
