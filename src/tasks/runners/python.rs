//! Runners that are configured in Python: nox (`nox`), Invoke, Fabric, doit, duty. Functions and their decorators are read;
//! what the module computes is a gap.

pub mod nox;

use crate::tasks::formats::code::{Code, Given, Kind as Token};
use crate::tasks::formats::language::PYTHON;
use crate::tasks::look::Look;
use crate::tasks::runner::{Read, Reading, Runner, Via};
use crate::tasks::{Argument, Draft, Origin};

/// <https://docs.pyinvoke.org/>
pub const INVOKE: Runner =
    Runner::new("invoke", invoke).first(&["tasks.py", "tasks/__init__.py"]).runs(Via::Python, &["invoke", "{}"]);
/// <https://docs.fabfile.org/>
pub const FABRIC: Runner =
    Runner::new("fabric", invoke).first(&["fabfile.py", "fabfile/__init__.py"]).runs(Via::Python, &["fab", "{}"]);
/// <https://pydoit.org/tasks.html>
pub const DOIT: Runner = Runner::new("doit", doit).first(&["dodo.py"]).runs(Via::Python, &["doit", "run", "{}"]);
/// <https://pawamoy.github.io/duty/>
pub const DUTY: Runner = Runner::new("duty", duty).first(&["duties.py"]).runs(Via::Python, &["duty", "{}"]);

/// A function with what stands above and in it.
struct Function<'a> {
    name: &'a str,
    line: usize,
    /// Its decorators: the last part of the name, and the place of the bracket where there is one.
    decorators: Vec<(&'a str, Option<usize>)>,
    /// The place of the bracket of its parameters.
    parameters: usize,
    docstring: Option<String>,
    /// It is not within another function or a condition.
    top: bool,
}

/// All functions of a module.
fn functions<'a>(code: &Code<'a>) -> Vec<Function<'a>> {
    let mut out = Vec::new();
    let mut decorators = Vec::new();
    let mut at = 0;
    while at < code.tokens.len() {
        if !code.is_first(at) {
            at += 1;
            continue;
        }
        if code.is_mark(at, '@') {
            let (name, next) = dotted(code, at + 1);
            let open = code.is_mark(next, '(').then_some(next);
            decorators.push((name, open));
            at = open.map_or(next, |open| code.closing(open) + 1);
            continue;
        }
        let def = if code.word(at) == Some("async") { at + 1 } else { at };
        if code.word(def) == Some("def")
            && let Some(name) = code.word(def + 1)
        {
            let parameters = def + 2;
            out.push(Function {
                name,
                line: code.line(def),
                decorators: std::mem::take(&mut decorators),
                parameters,
                docstring: docstring(code, parameters),
                top: code.tokens[at].column == 0,
            });
        }
        decorators.clear();
        at += 1;
    }
    out
}

/// `a.b.c`: its last part, and the place behind it.
fn dotted<'a>(code: &Code<'a>, mut at: usize) -> (&'a str, usize) {
    while code.is_mark(at + 1, '.') {
        at += 2;
    }
    (code.word(at).unwrap_or(""), at + 1)
}

/// The text that a function begins with, its first paragraph.
fn docstring(code: &Code<'_>, parameters: usize) -> Option<String> {
    let mut at = code.closing(parameters) + 1;
    // `-> type:` stands before the colon.
    while at < code.tokens.len() && !code.is_mark(at, ':') {
        at = code.closing(at) + 1;
    }
    match &code.tokens.get(at + 1)?.kind {
        Token::Text(text, _) => first_paragraph(text),
        _ => None,
    }
}

fn first_paragraph(text: &str) -> Option<String> {
    let lines = text.trim().lines().map(str::trim);
    let own: Vec<&str> = lines.take_while(|line| !line.is_empty()).collect();
    (!own.is_empty()).then(|| own.join(" "))
}

/// Parameters without the first, which is the runner's context.
fn parameters(code: &Code<'_>, open: usize, skip: usize) -> Vec<Argument> {
    let mut out = Vec::new();
    let end = code.closing(open);
    let mut start = open + 1;
    let mut place = 0;
    while start < end {
        let mut next = start;
        let mut default = None;
        while next < end && !code.is_mark(next, ',') {
            if code.is_mark(next, '=') {
                default = Some(next + 1);
            }
            next = code.closing(next) + 1;
        }
        let stars = (start..next).take_while(|at| code.is_mark(*at, '*')).count();
        if let Some(name) = code.word(start + stars).filter(|_| place >= skip) {
            let value = default.and_then(|at| code.text(at).or_else(|| code.word(at)));
            let required = default.is_none() && stars == 0;
            out.push(Argument { required, variadic: stars > 0, ..Argument::optional(name).or(value) });
        }
        place += 1;
        start = next + 1;
    }
    out
}

/// The names in a list: functions or texts.
fn names(code: &Code<'_>, given: &Given<'_>) -> Vec<String> {
    let all = (given.start..given.end).filter(|at| !code.is_mark(at.wrapping_add(1), '.'));
    all.filter_map(|at| code.word(at).or_else(|| code.text(at))).filter(|it| *it != "call").map(str::to_owned).collect()
}

fn invoke(look: &Look<'_>) -> Read {
    let code = Code::of(look.text, &PYTHON);
    // Other tools have a tasks.py too (Celery).
    let imports = ["invoke", "fabric"];
    let is_ours = (0..code.tokens.len()).any(|at| {
        matches!(code.word(at), Some("from" | "import")) && code.word(at + 1).is_some_and(|it| imports.contains(&it))
    });
    if !is_ours {
        return Ok(None);
    }
    let mut reading = Reading::default();
    let keeps = keeps_underscores(look);
    let written = |name: &str| if keeps { name.to_owned() } else { dashed(name) };
    // Dependencies are functions, which may be tasks by other names.
    let mut own_names: Vec<(&str, String)> = Vec::new();
    for function in functions(&code) {
        let Some((_, open)) = function.decorators.iter().find(|(name, _)| *name == "task") else { continue };
        let given = open.map(|open| code.arguments(open)).unwrap_or_default();
        let named = |key: &str| Code::named(&given, key);
        let own = named("name").and_then(|it| code.literal(*it)).unwrap_or(function.name);
        let helps = named("help").map(|it| helps(&code, it)).unwrap_or_default();
        let arguments = parameters(&code, function.parameters, 1).into_iter().map(|argument| {
            let help = helps.iter().find(|(name, _)| *name == argument.name || name.replace('-', "_") == argument.name);
            argument.about(help.map(|(_, text)| text.clone()))
        });
        let positional = given.iter().filter(|it| it.name.is_none());
        let needs = positional.chain(named("pre")).flat_map(|it| names(&code, it));
        let needs = needs.chain(named("post").map(|it| names(&code, it)).unwrap_or_default());
        let mut draft = Draft::new(written(own), function.line)
            .describe(function.docstring, Origin::Docstring)
            .arguments(arguments.collect())
            .after(needs.collect());
        draft.aliases = named("aliases").map(|it| code.texts(it.start, it.end)).unwrap_or_default();
        own_names.push((function.name, draft.name.clone()));
        reading.tasks.push(draft);
    }
    for need in reading.tasks.iter_mut().flat_map(|draft| &mut draft.depends_on) {
        let own = own_names.iter().find(|(function, _)| function == need).map(|(_, name)| name.clone());
        *need = own.unwrap_or_else(|| written(need));
    }
    if let Some(members) = collection(&code, &mut reading) {
        let own = |name: &str| own_names.iter().find(|(_, own)| own == name).map(|(function, _)| *function);
        reading.tasks.retain_mut(|draft| {
            let function = own(&draft.name);
            let Some((_, name)) = members.iter().find(|(member, _)| Some(*member) == function) else { return false };
            if let Some(name) = name {
                draft.name = written(name);
            }
            true
        });
        if members.iter().any(|(member, _)| own_names.iter().all(|(function, _)| function != member)) {
            reading.uncounted("tasks of other modules");
        }
    }
    Ok(Some(reading))
}

/// `{"name": "text"}`.
fn helps(code: &Code<'_>, given: &Given<'_>) -> Vec<(String, String)> {
    let pairs = (given.start..given.end).filter(|at| code.is_mark(*at + 1, ':'));
    pairs.filter_map(|at| Some((code.text(at)?.to_owned(), code.text(at + 2)?.to_owned()))).collect()
}

/// Whether the project's settings have invoke leave names as they are.
fn keeps_underscores(look: &Look<'_>) -> bool {
    let files = ["invoke.yaml", "invoke.yml", "invoke.json"].map(|name| look.folder.join(name));
    let said = files.iter().filter(|path| look.around.is_file(path)).find_map(|path| look.around.document(path).ok());
    let flag = said.as_ref().and_then(|root| root.path(&["tasks", "auto_dash_names"]));
    flag.is_some_and(|flag| flag.scalar() == Some("false"))
}

/// Invoke writes dashes for underscores, but not at the ends.
fn dashed(name: &str) -> String {
    let inner = name.trim_matches('_');
    name.replacen(inner, &inner.replace('_', "-"), 1)
}

/// `ns = Collection(a, b, x=c)` and `ns.add_task(d, name="y")` say what there is: their functions, with the names that
/// they give. None where the module says nothing of it.
fn collection<'a>(code: &Code<'a>, reading: &mut Reading) -> Option<Vec<(&'a str, Option<String>)>> {
    let is_root = |at: &usize| {
        let name = code.word(*at).is_some_and(|it| it == "ns" || it == "namespace");
        name && code.is_first(*at) && code.is_mark(at + 1, '=')
    };
    let at = (0..code.tokens.len()).find(is_root)?;
    let computed = "tasks of collections that are computed";
    if !code.matches(at + 2, "Collection (") {
        reading.uncounted(computed);
        return None;
    }
    let mut out = Vec::new();
    for it in code.arguments(at + 3) {
        match code.word(it.start).filter(|_| it.end == it.start + 1) {
            Some(function) => out.push((function, it.name.map(str::to_owned))),
            // The first may be the collection's name.
            None if code.literal(it).is_some() => {}
            None => reading.uncounted(computed),
        }
    }
    for call in (at..code.tokens.len()).filter(|it| code.is_mark(*it + 1, '(')) {
        let given = || code.arguments(call + 1);
        match code.word(call) {
            Some("add_task") => {
                let given = given();
                let name = Code::named(&given, "name").and_then(|it| code.literal(*it)).map(str::to_owned);
                out.extend(given.first().and_then(|it| code.word(it.start)).map(|function| (function, name)));
            }
            Some("add_collection" | "from_module") => reading.uncounted("tasks of other modules' collections"),
            _ => {}
        }
    }
    Some(out)
}

fn doit(look: &Look<'_>) -> Read {
    let code = Code::of(look.text, &PYTHON);
    let mut reading = Reading::default();
    for function in functions(&code).into_iter().filter(|it| it.top) {
        let Some(name) = function.name.strip_prefix("task_") else { continue };
        let body = body(&code, function.parameters);
        let key = |key: &str| {
            body.clone().find(|at| code.text(*at) == Some(key) && code.is_mark(*at + 1, ':')).map(|at| at + 2)
        };
        let doc = key("doc").and_then(|at| code.text(at)).map(str::to_owned);
        let list = |wanted: &str| key(wanted).map(|at| code.texts(at, code.closing(at))).unwrap_or_default();
        let base = key("basename").and_then(|at| code.text(at)).unwrap_or(name);
        let needs: Vec<String> = list("task_dep").into_iter().chain(list("setup")).collect();
        reading.tasks.push(
            Draft::new(base, function.line)
                .describe(doc, Origin::Field)
                .describe(function.docstring.as_ref(), Origin::Docstring)
                .private(name.starts_with('_'))
                .after(needs),
        );
        if body.clone().any(|at| code.word(at) == Some("yield")) {
            let named = body.clone().filter(|at| code.text(*at) == Some("name") && code.is_mark(*at + 1, ':'));
            for at in named {
                match code
                    .text(at + 2)
                    .filter(|_| !code.is_mark(at + 3, '%') && !code.is_mark(at + 3, '.') && !code.is_mark(at + 3, '+'))
                {
                    Some(sub) => reading.tasks.push(Draft::new(format!("{base}:{sub}"), code.line(at)).private(true)),
                    None => reading.gap("sub-tasks whose names are computed"),
                }
            }
        }
    }
    for word in ["create_after", "load_tasks"] {
        if code.tokens.iter().any(|it| it.kind == Token::Word(word)) {
            reading.uncounted(format!("tasks that are made later (`{word}`)"));
        }
    }
    Ok(Some(reading))
}

/// The places of a function's body: up to the next line that begins as far left as it does.
fn body(code: &Code<'_>, parameters: usize) -> std::ops::Range<usize> {
    let start = code.closing(parameters) + 1;
    let own = (0..parameters).rev().find(|at| code.is_first(*at)).map_or(0, |at| code.tokens[at].column);
    let end = (start..code.tokens.len()).find(|at| code.is_first(*at) && code.tokens[*at].column <= own);
    start..end.unwrap_or(code.tokens.len())
}

fn duty(look: &Look<'_>) -> Read {
    let code = Code::of(look.text, &PYTHON);
    let mut reading = Reading::default();
    for function in functions(&code) {
        let Some((_, open)) = function.decorators.iter().find(|(name, _)| *name == "duty") else { continue };
        let given = open.map(|open| code.arguments(open)).unwrap_or_default();
        let named = |key: &str| Code::named(&given, key);
        let list = |key: &str| named(key).map(|it| names(&code, it)).unwrap_or_default();
        let own = named("name").and_then(|it| code.literal(*it)).unwrap_or(function.name);
        let mut draft = Draft::new(own.replace('_', "-"), function.line)
            .describe(function.docstring, Origin::Docstring)
            .arguments(parameters(&code, function.parameters, 1))
            .after(list("pre").into_iter().chain(list("post")).map(|it| it.replace('_', "-")).collect());
        draft.aliases = list("aliases");
        reading.tasks.push(draft);
    }
    Ok(Some(reading))
}
