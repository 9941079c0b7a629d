//! `routes`: the dtab of a workspace, and what of it is for some requests alone.

mod rules;

use crate::dtab::{Dtab, SyntaxError};
use crate::manifest::problem::{Problem, Problems};
use crate::manifest::raw::RouteSpec;
use crate::manifest::read::At;
use crate::manifest::source::Span;

use super::Unit;

pub use rules::rules;

/// The entries of all manifests. The main one's are written last, so that they come first when a name is looked up.
pub fn routes(units: &[Unit], problems: &mut Problems) -> Dtab {
    let mut all = Dtab::default();
    let included = units.iter().skip(1);
    for At { value, span } in included.chain(units.first()).flat_map(written) {
        let RouteSpec::Dtab(text) = value else { continue };
        match text.parse::<Dtab>() {
            Ok(dtab) => all.extend(dtab),
            Err(error) => problems.push(syntax(*span, &error, problems)),
        }
    }
    all
}

fn written(unit: &Unit) -> impl Iterator<Item = &At<RouteSpec>> {
    unit.raw.routes.iter().flat_map(|routes| &routes.0)
}

fn syntax(span: Span, error: &SyntaxError, problems: &Problems) -> Problem {
    let problem = Problem::error("dtab_syntax", error.message()).at(place(span, error, problems));
    problem.maybe_hint(error.hint.clone())
}

/// The place in the manifest. A block's lines stand there indented, a quoted text's perhaps not as they are read: then it
/// is the whole text.
fn place(span: Span, error: &SyntaxError, problems: &Problems) -> Span {
    let line = problems.sources.find_after(span, &error.source);
    if error.source.is_empty() || line.start + error.source.len() != line.end {
        return span;
    }
    let before: usize = error.source.chars().take(error.column - 1).map(char::len_utf8).sum();
    let start = line.start + before;
    Span { start, end: start + error.found.map_or(0, char::len_utf8), ..line }
}
