//! Mage, <https://magefile.org/targets/>: exported functions of Go files with its build tag.

use crate::tasks::formats::code::Code;
use crate::tasks::formats::language::GO;
use crate::tasks::look::Look;
use crate::tasks::runner::{Read, Reading, Runner, Via};
use crate::tasks::{Argument, Draft, Origin};

pub const RUNNER: Runner = Runner::new("mage", read)
    .every(&["magefile.go", "magefile_*.go", "mage.go", "magefiles/*.go"])
    .runs(Via::Path, &["mage", "{}"]);

fn read(look: &Look<'_>) -> Read {
    let in_folder = look.path.parent().is_some_and(|it| it.ends_with("magefiles"));
    let head = look.text.split("package ").next().unwrap_or("");
    let is_tagged = head
        .lines()
        .any(|line| (line.starts_with("//go:build") || line.starts_with("// +build")) && line.contains("mage"));
    if !is_tagged && !in_folder || look.name().ends_with("_test.go") {
        return Ok(None);
    }
    let code = Code::of(look.text, &GO);
    let spaces: Vec<&str> = (0..code.tokens.len())
        .filter(|at| code.word(*at) == Some("type") && code.word(*at + 1).is_some())
        .filter(|at| code.matches(at + 2, "mg . Namespace"))
        .filter_map(|at| code.word(at + 1))
        .collect();
    let mut reading = Reading::default();
    for at in (0..code.tokens.len()).filter(|at| code.word(*at) == Some("func") && code.is_first(*at)) {
        reading.tasks.extend(function(&code, at, &spaces));
    }
    aliases(&code, &mut reading);
    if look.text.contains("mage:import") {
        reading.uncounted("targets of imported packages (`mage:import`)");
    }
    Ok(reading.unless_empty())
}

fn function(code: &Code<'_>, at: usize, spaces: &[&str]) -> Option<Draft> {
    let (space, name_at) = match code.is_mark(at + 1, '(') {
        // A method is a target of its namespace.
        true => {
            let end = code.closing(at + 1);
            let class = code.word(end - 1)?;
            (Some(*spaces.iter().find(|it| **it == class)?), end + 1)
        }
        false => (None, at + 1),
    };
    let name = code.word(name_at).filter(|it| it.starts_with(char::is_uppercase))?;
    let open = name_at + 1;
    if !code.is_mark(open, '(') {
        return None;
    }
    let parameters = parameters(code, open)?;
    // It returns an error or nothing.
    let behind = code.closing(open) + 1;
    if !code.is_mark(behind, '{') && code.word(behind) != Some("error") {
        return None;
    }
    let line = code.line(at);
    let full = match space {
        Some(space) => format!("{}:{}", lower_first(space), lower_first(name)),
        None => lower_first(name),
    };
    // A comment that begins with the function's name goes on without it.
    let comment =
        code.comment_above(line).map(|text| text.strip_prefix(name).map(str::trim_start).unwrap_or(&text).to_owned());
    let body = open..code.closing((behind..code.tokens.len()).find(|it| code.is_mark(*it, '{'))?);
    let needs =
        body.filter(|it| code.matches(*it, "mg . Deps (") || code.matches(*it, "mg . SerialDeps (")).flat_map(|it| {
            code.arguments(it + 3).into_iter().filter_map(|given| {
                let words: Vec<String> =
                    (given.start..given.end).filter_map(|at| code.word(at)).map(lower_first).collect();
                (!words.is_empty()).then(|| words.join(":"))
            })
        });
    Some(Draft::new(full, line).describe(comment, Origin::Comment).arguments(parameters).after(needs.collect()))
}

/// Texts, numbers, truth values and durations; anything else makes it no target.
fn parameters(code: &Code<'_>, open: usize) -> Option<Vec<Argument>> {
    let mut out = Vec::new();
    let mut unnamed = Vec::new();
    for given in code.arguments(open) {
        // Lists and pointers have marks.
        if (given.start..given.end).any(|at| code.word(at).is_none() && !code.is_mark(at, '.')) {
            return None;
        }
        let words: Vec<&str> = (given.start..given.end).filter_map(|at| code.word(at)).collect();
        match words[..] {
            [_, "context", "Context"] | ["context", "Context"] => {}
            [name] => unnamed.push(name),
            [name, "string" | "int" | "bool" | "float64"] | [name, "time", "Duration"] => {
                out.extend(unnamed.drain(..).map(Argument::required));
                out.push(Argument::required(name));
            }
            _ => return None,
        }
    }
    unnamed.is_empty().then_some(out)
}

fn lower_first(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

/// `var Aliases = map[string]interface{}{"b": Build}`, `var Default = Build`.
fn aliases(code: &Code<'_>, reading: &mut Reading) {
    for at in (0..code.tokens.len()).filter(|at| code.matches(*at, "var Aliases = map")) {
        let Some(open) = (at + 4..code.tokens.len()).find(|it| code.is_mark(*it, '{') && !code.is_mark(it + 1, '}'))
        else {
            continue;
        };
        for it in code.arguments(open) {
            let target =
                (it.start + 2..it.end).filter_map(|at| code.word(at)).map(lower_first).collect::<Vec<_>>().join(":");
            if let (Some(alias), Some(draft)) =
                (code.text(it.start), reading.tasks.iter_mut().find(|draft| draft.name == target))
            {
                draft.aliases.push(alias.to_owned());
            }
        }
    }
}
