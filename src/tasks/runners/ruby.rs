//! Ruby's other runners: fastlane and Thor.

use crate::tasks::formats::code::Code;
use crate::tasks::formats::language::RUBY;
use crate::tasks::look::Look;
use crate::tasks::runner::{Read, Reading, Runner, Via};
use crate::tasks::{Argument, Draft, Origin};

/// <https://docs.fastlane.tools/advanced/lanes/>
pub const FASTLANE: Runner = Runner::new("fastlane", fastlane)
    .first(&["fastlane/Fastfile", "Fastfile", ".fastlane/Fastfile"])
    .runs(Via::Ruby, &["fastlane", "{}"]);
/// <http://whatisthor.com/>
pub const THOR: Runner =
    Runner::new("thor", thor).every(&["Thorfile", "*.thor", "lib/tasks/*.thor"]).runs(Via::Ruby, &["thor", "{}"]);

/// A symbol or text behind a word.
fn name<'a>(code: &'a Code<'_>, at: usize) -> Option<&'a str> {
    let at = if code.is_mark(at, '(') { at + 1 } else { at };
    if code.is_mark(at, ':') { code.word(at + 1).or_else(|| code.text(at + 1)) } else { code.text(at) }
}

fn fastlane(look: &Look<'_>) -> Read {
    let code = Code::of(look.text, &RUBY);
    let mut reading = Reading::default();
    let mut described: Vec<String> = Vec::new();
    let mut platform: Option<(String, usize)> = None;
    for at in (0..code.tokens.len()).filter(|at| code.is_first(*at)) {
        let column = code.tokens[at].column;
        // A platform's block ends with the `end` that stands where it began.
        if code.word(at) == Some("end") && platform.as_ref().is_some_and(|(_, begun)| *begun == column) {
            platform = None;
        }
        match code.word(at) {
            Some("desc") => described.extend(code.text(at + 1).or_else(|| code.text(at + 2)).map(str::to_owned)),
            Some("platform") => platform = name(&code, at + 1).map(|it| (it.to_owned(), column)),
            Some(word @ ("lane" | "private_lane" | "override_lane")) => {
                let described = std::mem::take(&mut described);
                let Some(own) = name(&code, at + 1) else {
                    reading.gap("lanes whose names are computed");
                    continue;
                };
                let space = platform.as_ref().map(|(name, _)| &**name);
                let full = space.map_or_else(|| own.to_owned(), |space| format!("{space} {own}"));
                let words = std::iter::once("fastlane").chain(space).chain([own]);
                let draft =
                    Draft::new(full, code.line(at)).describe(Some(described.join(" ")), Origin::Field).group(space);
                reading.tasks.push(draft.private(word == "private_lane").words(words));
            }
            Some(word @ ("import" | "import_from_git")) => {
                reading.uncounted(format!("lanes of other files (`{word}`)"))
            }
            _ => {}
        }
    }
    Ok(Some(reading))
}

fn thor(look: &Look<'_>) -> Read {
    let code = Code::of(look.text, &RUBY);
    let mut reading = Reading::default();
    let mut space = String::new();
    let mut described: Option<(String, Option<String>)> = None;
    let mut hidden = false;
    for at in (0..code.tokens.len()).filter(|at| code.is_first(*at)) {
        match code.word(at) {
            Some("class" | "module") => {
                let class = code.word(at + 1).unwrap_or("").to_lowercase();
                space = if class == "default" { String::new() } else { format!("{class}:") };
                hidden = false;
            }
            Some("namespace") => space = name(&code, at + 1).map(|it| format!("{it}:")).unwrap_or_default(),
            Some("private" | "protected" | "no_commands" | "no_tasks") => hidden = true,
            Some("desc") => {
                let text = code.text(at + 3).or_else(|| code.text(at + 4)).map(str::to_owned);
                described = Some((code.text(at + 1).unwrap_or("").to_owned(), text));
            }
            // Only methods with a description are commands.
            Some("def") if !hidden => {
                if let (Some((usage, text)), Some(method)) = (described.take(), code.word(at + 1)) {
                    let arguments =
                        usage.split_whitespace().skip(1).filter(|it| !it.starts_with('-') && !it.starts_with("[-"));
                    let argument = |it: &str| Argument {
                        required: !it.starts_with('['),
                        ..Argument::optional(it.trim_matches(['[', ']', '<', '>']))
                    };
                    let draft = Draft::new(format!("{space}{method}"), code.line(at)).describe(text, Origin::Field);
                    reading.tasks.push(draft.arguments(arguments.map(argument).collect()));
                }
            }
            _ => {}
        }
    }
    Ok(reading.unless_empty())
}
