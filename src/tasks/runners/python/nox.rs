//! nox, <https://nox.thea.codes/en/stable/config.html>: sessions, one for each version of Python that is known.

use super::{Read, Reading, Runner, Via, functions};
use crate::tasks::formats::code::{Code, Given};
use crate::tasks::formats::language::PYTHON;
use crate::tasks::look::Look;
use crate::tasks::{Draft, Origin};

pub const RUNNER: Runner = Runner::new("nox", read).first(&["noxfile.py"]).runs(Via::Python, &["nox", "-s", "{}"]);

fn read(look: &Look<'_>) -> Read {
    let code = Code::of(look.text, &PYTHON);
    let mut reading = Reading::default();
    for function in functions(&code) {
        let Some((_, open)) = function.decorators.iter().find(|(name, _)| *name == "session") else { continue };
        let given = open.map(|open| code.arguments(open)).unwrap_or_default();
        let named = |key: &str| Code::named(&given, key);
        let own = named("name").and_then(|it| code.literal(*it)).unwrap_or(function.name);
        if named("name").is_some_and(|it| code.literal(*it).is_none()) {
            reading.gap("sessions whose names are computed");
            continue;
        }
        let draft = |name: String| {
            let mut draft = Draft::new(name, function.line).describe(function.docstring.as_ref(), Origin::Docstring);
            draft.depends_on = named("requires").map(|it| code.texts(it.start, it.end)).unwrap_or_default();
            let tags = named("tags").map(|it| code.texts(it.start, it.end)).unwrap_or_default();
            draft.group((!tags.is_empty()).then(|| tags.join(", ")))
        };
        let pythons = named("python").or_else(|| named("py"));
        let versions = pythons.map(|it| versions(&code, look, it));
        if function.decorators.iter().any(|(name, open)| *name == "parametrize" && open.is_some()) {
            reading.gap("sessions that parameters multiply (`parametrize`)");
        }
        // What is computed may be of a list, or be one version, which is not part of the name.
        if versions.as_ref().is_some_and(|it| it.computed) {
            reading.gap("sessions whose Python versions are computed");
        }
        match versions {
            Some(Versions { known, is_list: true, .. }) if !known.is_empty() => {
                reading.tasks.extend(known.iter().map(|version| draft(format!("{own}-{version}"))))
            }
            _ => reading.tasks.push(draft(own.to_owned())),
        }
    }
    // `nox.session(f)` without `@` makes one too.
    let is_made = |at: usize| code.matches(at, "nox . session (") && !code.is_mark(at.wrapping_sub(1), '@');
    if (0..code.tokens.len()).any(is_made) {
        reading.uncounted("sessions that are made by calls");
    }
    Ok(Some(reading))
}

/// The versions of Python that a session is for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Versions {
    known: Vec<String>,
    /// Each makes a session of its own.
    is_list: bool,
    /// There are others, or may be.
    computed: bool,
}

impl Versions {
    fn computed() -> Self {
        Self { computed: true, ..Self::default() }
    }
}

/// Lists in lists that are followed; one may be in itself, which Python refuses.
const DEEPEST: usize = 8;

fn is_list(code: &Code<'_>, at: usize) -> bool {
    code.is_mark(at, '[') || code.is_mark(at, '(')
}

/// `"3.12"`, `["3.11", *OLDER]`, or a name of such a list.
fn versions(code: &Code<'_>, look: &Look<'_>, given: &Given<'_>) -> Versions {
    let is_single = given.end == given.start + 1;
    match (code.word(given.start).filter(|_| is_single), code.text(given.start).filter(|_| is_single)) {
        (Some("False" | "None"), _) => Versions::default(),
        (_, Some(version)) => Versions { known: vec![version.to_owned()], ..Versions::default() },
        (Some(name), _) => named(code, look, name, DEEPEST),
        _ if is_list(code, given.start) && code.closing(given.start) + 1 == given.end => {
            listed(code, look, given.start, DEEPEST)
        }
        _ => Versions::computed(),
    }
}

/// What a name stands for that is given a list at the module's top, or the versions that pyproject.toml has by
/// `nox.project.python_versions`.
fn named(code: &Code<'_>, look: &Look<'_>, name: &str, depth: usize) -> Versions {
    // What is given once, and neither grown (`+=`) nor changed by a method, is what it was given.
    let is_changed = |at: usize| ['=', '+', '.'].iter().any(|mark| code.is_mark(at, *mark));
    let is_it = |at: &usize| code.word(*at) == Some(name) && code.is_first(*at) && is_changed(at + 1);
    let places: Vec<usize> = (0..code.tokens.len()).filter(is_it).collect();
    let &[at] = places.as_slice() else { return Versions::computed() };
    let at = at + 2;
    let is_whole = |last: usize| code.is_first(last + 1);
    if is_list(code, at) && is_whole(code.closing(at)) && depth > 0 {
        return listed(code, look, at, depth - 1);
    }
    if let Some(version) = code.text(at).filter(|_| is_whole(at)) {
        return Versions { known: vec![version.to_owned()], ..Versions::default() };
    }
    let is_asked = code.matches(at, "nox . project . python_versions (") && code.arguments(at + 5).len() == 1;
    match is_asked.then(|| classified(code, look)).flatten() {
        Some(known) => Versions { known, is_list: true, computed: false },
        None => Versions::computed(),
    }
}

/// The items of a list; those of others' lists within it (`*NAME`) too.
fn listed(code: &Code<'_>, look: &Look<'_>, open: usize, depth: usize) -> Versions {
    let mut out = Versions { is_list: true, ..Versions::default() };
    for item in code.arguments(open) {
        let is_star = code.is_mark(item.start, '*');
        match code.word(item.start + 1).filter(|_| is_star && item.end == item.start + 2) {
            Some(name) => {
                let inner = named(code, look, name, depth);
                out.known.extend(inner.known);
                out.computed |= inner.computed;
            }
            None => match code.literal(item) {
                Some(version) => out.known.push(version.to_owned()),
                None => out.computed = true,
            },
        }
    }
    out
}

/// The versions in the classifiers of pyproject.toml, as nox reads them; unknown where the module reads other files too.
fn classified(code: &Code<'_>, look: &Look<'_>) -> Option<Vec<String>> {
    let is_load = |at: &usize| code.matches(*at, "load_toml (");
    let mut loaded = (0..code.tokens.len()).filter(is_load).filter_map(|at| code.arguments(at + 1).first().copied());
    if loaded.any(|file| code.literal(file) != Some("pyproject.toml")) {
        return None;
    }
    let root = look.around.toml(&look.folder.join("pyproject.toml")).ok()?;
    let all = root.path(&["project", "classifiers"])?.texts();
    let is_version = |it: &&String| it.starts_with("Programming Language :: Python :: 3.");
    let versions: Vec<String> =
        all.iter().filter(is_version).filter_map(|it| it.split_whitespace().last()).map(str::to_owned).collect();
    (!versions.is_empty()).then_some(versions)
}
