//! Dtabs that cannot be read, drawn as other problems are.

use std::path::Path;

use super::problems::draw;
use crate::dtab::SyntaxError;
use crate::manifest::{Problem, Problems, Span};

/// Draws an error with its line of the text, a mark below the place and the hint. The text is known by a name: that of a
/// file, a header or a flag.
pub fn draw_syntax_error(error: &SyntaxError, text: &str, name: &str, color: bool) -> String {
    let mut problems = Problems::default();
    let source = problems.sources.add(Path::new(name), text);
    let end = error.offset + error.found.map_or(0, char::len_utf8);
    let problem = Problem::error("dtab_syntax", error.message());
    problems.push(problem.at(Span { source, start: error.offset, end }).maybe_hint(error.hint.clone()));
    draw(&problems, color)
}
