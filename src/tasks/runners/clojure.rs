//! Clojure: Leiningen, the `clojure` command line, Babashka.

use crate::tasks::formats::lisp::{self, Form, Shape};
use crate::tasks::look::Look;
use crate::tasks::runner::{Read, Reading, Runner, Via};
use crate::tasks::{Draft, Origin};

/// <https://leiningen.org/>
pub const LEIN: Runner = Runner::new("lein", lein).first(&["project.clj"]).runs(Via::Path, &["lein", "{}"]);
/// <https://clojure.org/reference/clojure_cli>
pub const DEPS: Runner = Runner::new("clojure", deps).first(&["deps.edn"]).runs(Via::Path, &["clojure", "-M{}"]);
/// <https://book.babashka.org/#tasks>
pub const BABASHKA: Runner = Runner::new("bb", babashka).first(&["bb.edn"]).runs(Via::Path, &["bb", "run", "{}"]);

fn lein(look: &Look<'_>) -> Read {
    let forms = lisp::parse(look.text)?;
    let project = forms.iter().find(|form| form.items().first().and_then(Form::atom) == Some("defproject"));
    let items = project.map_or(&[][..], Form::items);
    let aliases = items.windows(2).find(|pair| pair[0].atom() == Some(":aliases")).map(|pair| &pair[1]);
    let mut reading = Reading::default();
    for (key, value) in aliases.into_iter().flat_map(Form::pairs) {
        let Some(name) = key.text().or_else(|| key.atom().map(|it| it.trim_start_matches(':'))) else { continue };
        let words: Vec<String> =
            value.items().iter().map(|it| it.text().map_or_else(|| shown(it), str::to_owned)).collect();
        reading.tasks.push(Draft::new(name, key.line).group(Some("alias")).runs(words.join(" ")));
    }
    if items.iter().any(|it| it.atom() == Some(":plugins")) {
        reading.uncounted("tasks of plugins");
    }
    Ok(reading.unless_empty())
}

/// An alias with a main function runs by -M, with `:exec-fn` by -X; others only add to the class path.
fn deps(look: &Look<'_>) -> Read {
    let forms = lisp::parse(look.text)?;
    let aliases = forms.first().and_then(|root| root.get(":aliases"));
    let tasks = aliases.into_iter().flat_map(Form::pairs).filter_map(|(key, value)| {
        let name = key.atom()?;
        let main = value.get(":main-opts");
        let function = value.get(":exec-fn").and_then(Form::atom);
        let tool = value.get(":ns-default").and_then(Form::atom);
        let draft = Draft::new(name.trim_start_matches(':'), key.line)
            .describe(value.get(":doc").and_then(Form::text), Origin::Field);
        match (function, main, tool) {
            (Some(function), ..) => Some(draft.runs(function).words(["clojure".to_owned(), format!("-X{name}")])),
            (None, Some(main), _) => {
                let words: Vec<&str> = main.items().iter().filter_map(|it| it.text().or(it.atom())).collect();
                Some(draft.runs(words.join(" ")).words(["clojure".to_owned(), format!("-M{name}")]))
            }
            (None, None, Some(space)) => Some(draft.runs(space).words(["clojure".to_owned(), format!("-T{name}")])),
            (None, None, None) => None,
        }
    });
    let reading = Reading::of(tasks.collect());
    Ok(reading.unless_empty())
}

fn babashka(look: &Look<'_>) -> Read {
    let forms = lisp::parse(look.text)?;
    let tasks = forms.first().and_then(|root| root.get(":tasks"));
    let tasks = tasks.into_iter().flat_map(Form::pairs).filter_map(|(key, value)| {
        // Keywords set the tasks up: `:requires`, `:init`.
        let name = key.atom().filter(|name| !name.starts_with(':'))?;
        let needs = value.get(":depends").map_or(&[][..], Form::items);
        let command = match &value.shape {
            Shape::Atom(function) => function.clone(),
            Shape::Map(_) => value.get(":task").map(shown).unwrap_or_default(),
            Shape::List(_) | Shape::Text(_) => shown(value),
        };
        Some(
            Draft::new(name, key.line)
                .describe(value.get(":doc").and_then(Form::text), Origin::Field)
                .private(name.starts_with('-') || value.get(":private").and_then(Form::atom) == Some("true"))
                .after(needs.iter().filter_map(Form::atom).map(str::to_owned).collect())
                .runs(command),
        )
    });
    Ok(Reading::of(tasks.collect()).unless_empty())
}

/// A form as it could be written.
fn shown(form: &Form) -> String {
    match &form.shape {
        Shape::Atom(atom) => atom.clone(),
        Shape::Text(text) => format!("{text:?}"),
        Shape::List(items) | Shape::Map(items) => {
            format!("({})", items.iter().map(shown).collect::<Vec<_>>().join(" "))
        }
    }
}
