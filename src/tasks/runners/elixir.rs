//! Mix, <https://hexdocs.pm/mix/Mix.html#module-aliases>: aliases of mix.exs, and tasks that are modules.

use crate::tasks::formats::code::Code;
use crate::tasks::formats::language::ELIXIR;
use crate::tasks::look::Look;
use crate::tasks::runner::{Read, Reading, Runner, Via};
use crate::tasks::{Draft, Origin};

pub const RUNNER: Runner =
    Runner::new("mix", read).every(&["mix.exs", "lib/mix/tasks/**/*.ex"]).runs(Via::Path, &["mix", "{}"]);

fn read(look: &Look<'_>) -> Read {
    let code = Code::of(look.text, &ELIXIR);
    if look.name() == "mix.exs" { Ok(aliases(&code).unless_empty()) } else { Ok(module(&code, look)) }
}

/// `defp aliases do [setup: ["deps.get", …], "x.y": …] end`, or the list right in `project`.
fn aliases(code: &Code<'_>) -> Reading {
    let mut reading = Reading::default();
    let all = 0..code.tokens.len();
    let function =
        all.clone().find(|at| matches!(code.word(*at), Some("defp" | "def")) && code.word(at + 1) == Some("aliases"));
    let own = all.clone().find(|at| code.matches(*at, "aliases : ["));
    let list = match (function, own) {
        (Some(at), _) => (at + 2..code.tokens.len()).find(|it| code.is_mark(*it, '[')),
        (None, Some(at)) => Some(at + 2),
        (None, None) => None,
    };
    let Some(open) = list else {
        if all.clone().any(|at| code.matches(at, "aliases :")) {
            reading.uncounted("aliases that are computed");
        }
        return reading;
    };
    for it in code.arguments(open) {
        // `name: value`, `"a.b": value`
        let quoted = code.text(it.start).filter(|_| code.is_mark(it.start + 1, ':'));
        let Some(name) = it.name.or(quoted) else {
            reading.gap("aliases that are computed");
            continue;
        };
        let value = if it.name.is_some() { it.start } else { it.start + 2 };
        let steps = code.texts(value, it.end);
        let called = steps.iter().filter_map(|step| step.split_whitespace().next()).map(str::to_owned);
        let line = code.line(it.start);
        let draft = Draft::new(name, line).describe(code.comment_above(line), Origin::Comment).group(Some("alias"));
        reading.tasks.push(draft.after(called.collect()).runs(steps.join("\n")));
    }
    reading
}

/// `defmodule Mix.Tasks.A.BC do … @shortdoc "…"` is `a.b_c`.
fn module(code: &Code<'_>, look: &Look<'_>) -> Option<Reading> {
    let at = (0..code.tokens.len()).find(|at| code.matches(*at, "defmodule Mix . Tasks ."))?;
    let line = code.line(at);
    let parts = (at + 5..code.tokens.len()).take_while(|it| code.line(*it) == line).filter_map(|it| code.word(it));
    let name: Vec<String> = parts.take_while(|it| *it != "do").map(underscored).collect();
    let short = (at..code.tokens.len()).find(|it| code.word(*it) == Some("@shortdoc"));
    let draft = Draft::new(name.join("."), line)
        .describe(short.and_then(|it| code.text(it + 1)), Origin::Field)
        // `mix help` lists only what has one.
        .private(short.is_none())
        .runs(look.around.shown(look.path));
    Some(Reading::of(vec![draft]))
}

fn underscored(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}
