//! Runners whose tasks are in Markdown: mask, xc, Runme.

use crate::tasks::formats::markdown::{Block, Shape, blocks};
use crate::tasks::look::Look;
use crate::tasks::runner::{Read, Reading, Runner, Via};
use crate::tasks::{Argument, Draft, Origin};

/// <https://github.com/jacobdeichert/mask>
pub const MASK: Runner = Runner::new("mask", mask).first(&["maskfile.md"]).runs(Via::Path, &["mask", "{}"]);
/// <https://xcfile.dev/>
pub const XC: Runner = Runner::new("xc", xc).first(&["README.md", "readme.md"]).runs(Via::Path, &["xc", "{}"]);
/// <https://docs.runme.dev/>
pub const RUNME: Runner = Runner::new("runme", runme).every(&["README.md"]).runs(Via::Path, &["runme", "run", "{}"]);

/// Headings of the second level and below are commands, where code comes before the next heading.
fn mask(look: &Look<'_>) -> Read {
    let mut reading = Reading::default();
    let mut path: Vec<String> = Vec::new();
    let mut next: Option<Draft> = None;
    for block in blocks(look.text) {
        match block.shape {
            Shape::Heading { level: 1, .. } => path.clear(),
            Shape::Heading { level, text } => {
                path.truncate(level - 2);
                let (name, arguments) = mask_heading(&text, &path.join(" "));
                let full = path.iter().map(String::as_str).chain([&*name]).collect::<Vec<_>>().join(" ");
                let words: Vec<String> = std::iter::once("mask").chain(full.split(' ')).map(str::to_owned).collect();
                next = Some(Draft::new(&full, block.line).arguments(arguments).words(words));
                path.push(name);
            }
            Shape::Text(text) => {
                if text.starts_with('>') {
                    let lines: Vec<&str> = text.lines().map(|line| line.trim_start_matches('>')).collect();
                    next = next.map(|draft| draft.describe(Some(lines.join(" ")), Origin::Comment));
                }
            }
            Shape::Code { text, .. } => reading.tasks.extend(next.take().map(|draft| draft.runs(text))),
        }
    }
    Ok(Some(reading))
}

/// `serve [port] (name)`: in round brackets required, in square ones not. The names above it may stand before it.
fn mask_heading(text: &str, above: &str) -> (String, Vec<Argument>) {
    let end = text.find(['(', '[', '<']).unwrap_or(text.len());
    let name = text[..end].trim();
    let name = name.strip_prefix(above).map(str::trim).filter(|it| !it.is_empty()).unwrap_or(name);
    let arguments = text[end..].split_whitespace().filter_map(|word| {
        let inner = word.trim_matches(['(', ')', '[', ']', '<', '>', '.']);
        (!inner.is_empty()).then(|| Argument {
            required: word.starts_with(['(', '<']),
            variadic: word.contains("..."),
            ..Argument::optional(inner)
        })
    });
    (name.to_owned(), arguments.collect())
}

/// Headings below one that says "Tasks".
fn xc(look: &Look<'_>) -> Read {
    let all = blocks(look.text);
    let is_tasks =
        |block: &Block| matches!(&block.shape, Shape::Heading { text, .. } if text.eq_ignore_ascii_case("tasks"));
    let marked = look.text.contains("<!-- xc-heading -->");
    let Some(start) = all.iter().position(is_tasks).filter(|_| !marked || look.text.contains("Tasks")) else {
        return Ok(None);
    };
    let Shape::Heading { level: top, .. } = all[start].shape else { return Ok(None) };
    let mut reading = Reading::default();
    for block in &all[start + 1..] {
        match &block.shape {
            Shape::Heading { level, .. } if *level <= top => break,
            Shape::Heading { level, text } if *level == top + 1 => reading.tasks.push(Draft::new(text, block.line)),
            Shape::Heading { .. } => {}
            Shape::Text(text) => {
                if let Some(draft) = reading.tasks.last_mut() {
                    xc_text(text, draft);
                }
            }
            Shape::Code { text, .. } => {
                if let Some(draft) = reading.tasks.last_mut().filter(|draft| draft.command.is_empty()) {
                    text.clone_into(&mut draft.command);
                }
            }
        }
    }
    // A heading without code and without other tasks to run is only a heading.
    reading.tasks.retain(|draft| !draft.command.is_empty() || !draft.depends_on.is_empty());
    Ok(reading.unless_empty())
}

/// `Requires: a, b`, `Inputs: X`, a line each; all other lines are the description.
fn xc_text(text: &str, draft: &mut Draft) {
    let mut rest = Vec::new();
    for line in text.lines() {
        let (key, value) = line.split_once(':').unwrap_or((line, ""));
        let list = value.split(',').map(|it| it.trim().trim_matches('`').to_owned()).filter(|it| !it.is_empty());
        match key.to_lowercase().as_str() {
            "requires" | "req" => draft.depends_on.extend(list),
            "inputs" => draft.arguments.extend(list.map(Argument::required)),
            "environment" | "env" | "directory" | "dir" | "run" | "rundeps" | "interactive" => {}
            _ => rest.push(line),
        }
    }
    *draft = draft.clone().describe(Some(rest.join(" ")), Origin::Comment);
}

/// Fenced blocks that have a name.
fn runme(look: &Look<'_>) -> Read {
    let mut reading = Reading::default();
    for block in blocks(look.text) {
        let Shape::Code { info, text } = &block.shape else { continue };
        let Some((language, rest)) = info.split_once('{') else { continue };
        let fields: Vec<String> =
            rest.trim_end_matches('}').split([',', ' ']).map(|it| it.trim().replace('"', "")).collect();
        let field = |key: &str| {
            fields.iter().find_map(|it| {
                it.strip_prefix(key)?.trim_start().strip_prefix(['=', ':']).map(str::trim).map(str::to_owned)
            })
        };
        let Some(name) = field("name").filter(|it| !it.is_empty()) else { continue };
        let draft = Draft::new(name, block.line).group(Some(language.trim())).runs(text.clone());
        reading.tasks.push(draft.private(field("excludeFromRunAll").is_some_and(|it| it == "true")));
    }
    Ok(reading.unless_empty())
}
