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
            Err(error) => problems.push(syntax(*span, text, &error, problems)),
        }
    }
    all
}

fn written(unit: &Unit) -> impl Iterator<Item = &At<RouteSpec>> {
    unit.raw.routes.iter().flat_map(|routes| &routes.0)
}

fn syntax(span: Span, text: &str, error: &SyntaxError, problems: &Problems) -> Problem {
    let raw = problems.sources.get(span.source).text.get(span.start..).unwrap_or_default();
    let at = place(raw, text, error).map_or(span, |(from, to)| {
        let start = span.start;
        Span { start: start + from, end: start + to, ..span }
    });
    let problem = Problem::error("dtab_syntax", error.message()).at(at);
    problem.maybe_hint(error.hint.clone())
}

/// Where an error stands in a text as it is written in the manifest. Whatever scalar it is, folded, indented or quoted,
/// only its white space differs from what was read; where more does, as with escapes, there is no such place.
fn place(raw: &str, text: &str, error: &SyntaxError) -> Option<(usize, usize)> {
    let is_quoted = raw.starts_with(['"', '\'']) && !text.starts_with(['"', '\'']);
    let mut written = inked(raw, is_quoted);
    let mut end = usize::from(is_quoted);
    for read in text.get(..error.offset)?.chars().filter(|c| !c.is_whitespace()) {
        let (at, c) = written.next().filter(|(_, c)| *c == read)?;
        end = at + c.len_utf8();
    }
    match error.found.filter(|found| !found.is_whitespace()) {
        Some(found) => written.next().filter(|(_, c)| *c == found).map(|(at, c)| (at, at + c.len_utf8())),
        None => Some((end, end + error.found.map_or(0, char::len_utf8))),
    }
}

/// What of a scalar is no white space, with its place. In quotes some of that is written as an escape.
fn inked(raw: &str, is_quoted: bool) -> impl Iterator<Item = (usize, char)> {
    let mut is_escape = false;
    raw.char_indices().skip(usize::from(is_quoted)).filter(move |(_, c)| {
        let is_behind = is_escape;
        is_escape = is_quoted && !is_behind && *c == '\\';
        let is_space = c.is_whitespace() || is_behind && matches!(c, 'n' | 't' | 'r');
        !is_escape && !is_space
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_found_in_every_kind_of_scalar() {
        // As it is written, as it is read, and what the mark begins with.
        let cases = [
            ("/a => /b ;\n  /c -> /d\nmore: 1", "/a => /b ; /c -> /d", "-> /d"),
            ("/a => /b ;\n\n    /a => /b ;\n    /c => d", "/a => /b ;\n/a => /b ;\n/c => d", "d"),
            ("\"/a => /b ;\n   /c -> /d\"", "/a => /b ; /c -> /d", "-> /d"),
            ("\"/a => /b ;\\n/c -> /d\"", "/a => /b ;\n/c -> /d", "-> /d"),
            ("'/ä => /b -> c'", "/ä => /b -> c", "ä => /b"),
            ("/a => (/b\n  next: x", "/a => (/b", ""),
        ];
        for (raw, text, marked) in cases {
            let error = text.parse::<Dtab>().unwrap_err();
            let (start, _) = place(raw, text, &error).unwrap();
            assert!(raw[start..].starts_with(marked), "{raw}: {}", &raw[start..]);
        }
        let escaped = "/a \\x2d> /b";
        assert_eq!(place(escaped, "/a -> /b", &"/a -> /b".parse::<Dtab>().unwrap_err()), None);
    }
}
