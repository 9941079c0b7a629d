//! GNU make: <https://www.gnu.org/software/make/manual/>. Nothing that a Makefile says is executed, so names that come
//! from `$(shell)` and the like are gaps; what can be expanded from text alone is.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use super::make_expand::{Unknown, Variables};
use super::make_made::Made;
use super::make_syntax::{
    Assignment, assignment, beside, is_target, is_target_variable, split_rule, unescape, unique, without_comment,
};
use crate::tasks::look::Look;
use crate::tasks::runner::{Read, Reading, Runner, Via};
use crate::tasks::{Argument, Definition, Draft, Kind, Origin};

pub const RUNNER: Runner =
    Runner::new("make", read).first(&["GNUmakefile", "makefile", "Makefile"]).runs(Via::Path, &["make", "{}"]);

fn read(look: &Look<'_>) -> Read {
    let mut makefile = Makefile {
        look,
        variables: Variables::of(&look.folder.display().to_string()),
        optional: Vec::new(),
        rules: IndexMap::new(),
        phony: HashSet::new(),
        reading: Reading::default(),
        made: Made::default(),
        read: HashSet::from([look.path.to_owned()]),
        open: vec![look.path.to_owned()],
    };
    makefile.file(look.text, None);
    Ok(Some(makefile.finish()))
}

struct Makefile<'a> {
    look: &'a Look<'a>,
    variables: Variables,
    /// Variables that are set with `?=`: what a user gives.
    optional: Vec<(String, String)>,
    rules: IndexMap<String, Rule>,
    phony: HashSet<String>,
    reading: Reading,
    /// Rules that are made by `$(eval)` and the like, and templates for them.
    made: Made,
    read: HashSet<PathBuf>,
    /// The files that include each other down to the one that is read now.
    open: Vec<PathBuf>,
}

/// A target with all its rules.
#[derive(Debug, Default, Clone)]
struct Rule {
    line: usize,
    file: Option<PathBuf>,
    /// Comments beside the rule count more than those above.
    beside: Option<String>,
    above: Option<String>,
    group: Option<String>,
    needs: Vec<String>,
    recipe: Vec<String>,
}

/// What is carried from line to line of one file.
struct Reader<'a> {
    file: Option<&'a Path>,
    /// A rule's recipe comes now, though the rule may be for nobody to call.
    in_rule: bool,
    /// The targets whose recipe that is.
    current: Vec<String>,
    comment: Vec<String>,
    group: Option<String>,
    /// How deep in `ifeq` … `endif`.
    conditions: usize,
    in_define: usize,
    /// The outermost `define` that is open.
    defined: String,
    prefix: char,
}

impl Makefile<'_> {
    fn file(&mut self, text: &str, file: Option<&Path>) {
        let mut reader = Reader {
            file,
            in_rule: false,
            current: Vec::new(),
            comment: Vec::new(),
            group: None,
            conditions: 0,
            in_define: 0,
            defined: String::new(),
            prefix: '\t',
        };
        let mut lines = text.lines().enumerate();
        while let Some((at, line)) = lines.next() {
            let is_recipe = line.starts_with(reader.prefix) && reader.in_rule;
            let mut whole = line.to_owned();
            while whole.ends_with('\\') && !whole.ends_with("\\\\") {
                let Some((_, next)) = lines.next() else { break };
                whole.pop();
                whole.push(if is_recipe { '\n' } else { ' ' });
                whole.push_str(next.trim_start());
            }
            self.line(&whole, at + 1, &mut reader);
        }
    }

    fn line(&mut self, line: &str, number: usize, reader: &mut Reader<'_>) {
        let trimmed = line.trim();
        if reader.in_define > 0 {
            let first = trimmed.split_whitespace().next().unwrap_or("");
            reader.in_define = match first {
                "endef" => reader.in_define - 1,
                "define" => reader.in_define + 1,
                _ => reader.in_define,
            };
            if reader.in_define > 0 {
                self.made.template(&reader.defined, line, reader.prefix);
            }
            return;
        }
        if line.starts_with(reader.prefix) && reader.in_rule {
            for name in &reader.current {
                if let Some(rule) = self.rules.get_mut(name) {
                    rule.recipe.push(trimmed.to_owned());
                }
            }
            return;
        }
        if let Some(comment) = trimmed.strip_prefix('#') {
            comment_line(comment, reader);
            return;
        }
        if trimmed.is_empty() {
            reader.comment.clear();
            return;
        }
        self.statement(&without_comment(line), beside(line), number, reader);
    }

    fn statement(&mut self, line: &str, beside: Option<&str>, number: usize, reader: &mut Reader<'_>) {
        let line = line.trim();
        let (first, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        match first {
            "ifeq" | "ifneq" | "ifdef" | "ifndef" => reader.conditions += 1,
            "endif" => reader.conditions = reader.conditions.saturating_sub(1),
            "else" | "vpath" | "unexport" => {}
            "include" | "-include" | "sinclude" => self.include(rest, first == "include"),
            "define" => {
                let name = rest.trim().trim_end_matches('=').trim_end_matches([':', '+', '?']).trim();
                self.variables.forget(name);
                self.made.begin(name);
                reader.defined = name.to_owned();
                reader.in_define = 1;
            }
            _ => match assignment(line) {
                Some(assignment) => {
                    reader.in_rule = false;
                    reader.current.clear();
                    reader.comment.clear();
                    self.assign(&assignment, reader);
                }
                None => self.rule(line, beside, number, reader),
            },
        }
    }

    fn assign(&mut self, assignment: &Assignment<'_>, reader: &mut Reader<'_>) {
        let Assignment { name, operator, value } = *assignment;
        if name == ".RECIPEPREFIX" {
            reader.prefix = value.chars().next().unwrap_or('\t');
        }
        match operator {
            // In a condition either value may hold.
            _ if reader.conditions > 0 && self.variables.has(name) && !self.variables.is(name, value) => {
                self.variables.forget(name);
            }
            "+=" => self.variables.append(name, value),
            "?=" if self.variables.has(name) => {}
            "!=" => self.variables.forget(name),
            // Expanded now; a later value of what it names does not count.
            ":=" | "::=" | ":::=" => match self.variables.expand(value) {
                Ok(value) => self.variables.set(name, &value.replace('$', "$$")),
                Err(_) => self.variables.set(name, value),
            },
            _ => self.variables.set(name, value),
        }
        if operator == "?=" {
            self.optional.push((name.to_owned(), value.to_owned()));
        }
    }

    fn rule(&mut self, line: &str, beside: Option<&str>, number: usize, reader: &mut Reader<'_>) {
        let above = std::mem::take(&mut reader.comment);
        reader.current.clear();
        reader.in_rule = false;
        let Some((targets, rest)) = split_rule(line) else {
            // `$(eval …)`, `$(call …)`: they may make rules, or only print.
            if line.contains("$(eval") || line.contains("$(call") {
                self.made.statement(line, &self.variables);
            }
            return;
        };
        if is_target_variable(rest) {
            return;
        }
        reader.in_rule = true;
        let (needs, inline) = rest.split_once(';').unwrap_or((rest, ""));
        let names = match self.variables.expand(targets) {
            Ok(names) => names,
            Err(Unknown(what)) => {
                self.reading.gap(format!("targets named by {what}"));
                return;
            }
        };
        let needs = self.needs(needs);
        if names.trim() == ".PHONY" {
            self.phony.extend(needs);
            // A comment above `.PHONY: x` tells of x.
            reader.comment = above;
            return;
        }
        reader.current = names.split_whitespace().filter(|name| is_target(name)).map(unescape).collect();
        if reader.conditions > 0 && !reader.current.is_empty() {
            self.reading.gap("targets within conditions, of which only some may exist");
        }
        for name in &reader.current {
            let rule = self.rules.entry(name.clone()).or_default();
            let is_better = rule.line == 0 || rule.recipe.is_empty();
            if is_better {
                rule.line = number;
                rule.file = reader.file.map(Path::to_owned);
            }
            rule.group = rule.group.take().or_else(|| reader.group.clone());
            rule.beside = rule.beside.take().or_else(|| beside.map(str::to_owned));
            rule.above = rule.above.take().or_else(|| comment_text(&above));
            rule.needs.extend(needs.iter().filter(|it| !it.contains('%')).cloned());
            rule.recipe.extend(Some(inline.trim()).filter(|it| !it.is_empty()).map(str::to_owned));
        }
    }

    /// Prerequisites, those after `|` too; what only make knows is left out.
    fn needs(&self, text: &str) -> Vec<String> {
        // `targets: pattern: prerequisites` is a static pattern rule.
        let text = split_rule(text).map_or(text, |(_, rest)| rest);
        let text = match self.variables.expand(text) {
            Ok(text) => text,
            Err(_) => {
                text.split_whitespace().filter(|word| !word.contains(['$', '(', ')'])).collect::<Vec<_>>().join(" ")
            }
        };
        text.split_whitespace().filter(|word| *word != "|").map(unescape).collect()
    }

    fn include(&mut self, files: &str, required: bool) {
        let files = match self.variables.expand(files) {
            Ok(files) => files,
            Err(Unknown(what)) => {
                self.reading.gap(format!("included files named by {what}"));
                return;
            }
        };
        for name in files.split_whitespace() {
            let paths = self.glob(name);
            if paths.is_empty() && required {
                self.reading.gap("included files that are not there (make may make them)");
            }
            for path in paths {
                self.include_file(&path);
            }
        }
    }

    fn include_file(&mut self, path: &Path) {
        if self.open.iter().any(|open| open == path) {
            self.reading.uncounted("includes in a circle, which make follows until it fails");
            return;
        }
        if !self.read.insert(path.to_owned()) {
            return;
        }
        match self.look.around.text(path) {
            Ok(text) => {
                self.open.push(path.to_owned());
                self.file(&text, Some(path));
                self.open.pop();
            }
            Err(error) => {
                self.reading.uncounted(format!("{} cannot be read: {}", self.look.around.shown(path), error.reason));
            }
        }
    }

    /// The files that a name stands for: `*.mk` in one folder.
    fn glob(&self, name: &str) -> Vec<PathBuf> {
        let path = crate::tasks::look::tidy(&self.look.folder.join(name));
        let last = path.file_name().and_then(|it| it.to_str()).unwrap_or("");
        let (Some((before, after)), Some(folder)) = (last.split_once('*'), path.parent()) else {
            return Some(path).filter(|path| self.look.around.is_file(path)).into_iter().collect();
        };
        let names = self.look.around.names(folder);
        let fits = |name: &&String| name.starts_with(before) && name.ends_with(after);
        names.iter().filter(fits).map(|name| folder.join(name)).collect()
    }

    fn finish(mut self) -> Reading {
        self.reading.gaps.extend(self.made.gap());
        let help = help_texts(&self.rules);
        for (name, rule) in &self.rules {
            let is_file = !self.phony.contains(name) && name.contains(['/', '.']);
            let recipe = rule.recipe.join("\n");
            let mut draft = Draft::new(name, rule.line)
                .describe(rule.beside.as_ref(), Origin::Comment)
                .describe(rule.above.as_ref(), Origin::Comment)
                .describe(help.get(name), Origin::Help)
                .group(rule.group.clone())
                .kind(if is_file { Kind::File } else { Kind::Task })
                .private(name.starts_with('_') || name.starts_with('.'))
                .arguments(self.arguments(&recipe))
                .after(unique(&rule.needs))
                .runs(recipe);
            if rule.file.is_some() {
                draft = draft.definition(Definition::Included);
                draft.file.clone_from(&rule.file);
            }
            self.reading.tasks.push(draft);
        }
        self.reading
    }

    /// The variables with `?=` that a recipe uses.
    fn arguments(&self, recipe: &str) -> Vec<Argument> {
        let used = |name: &str| recipe.contains(&format!("$({name}")) || recipe.contains(&format!("${{{name}"));
        let all = self.optional.iter().filter(|(name, _)| used(name));
        all.map(|(name, value)| Argument::optional(name).or(Some(value))).collect()
    }
}

/// What a `help` target that was written by hand says of the others.
fn help_texts(rules: &IndexMap<String, Rule>) -> IndexMap<String, String> {
    let mut out = IndexMap::new();
    let lines = ["help", "usage"].iter().filter_map(|name| rules.get(*name)).flat_map(|rule| &rule.recipe);
    for line in lines {
        let Some((_, said)) = line.split_once("echo").or_else(|| line.split_once("printf")) else { continue };
        let said = said.trim().trim_start_matches("-e ").trim_matches(['"', '\'', ' ']);
        let said = said.strip_prefix("make ").unwrap_or(said);
        let Some((name, text)) = said.split_once([' ', ':', '\t']) else { continue };
        let text = text.trim_start_matches([' ', '-', ':', '\t', '.']).trim_end_matches("\\n");
        if rules.contains_key(name) && !text.is_empty() {
            out.insert(name.to_owned(), text.to_owned());
        }
    }
    out
}

/// A line that is only a comment, without its first `#`.
fn comment_line(comment: &str, reader: &mut Reader<'_>) {
    if let Some(group) = comment.strip_prefix("#@") {
        reader.group = Some(group.trim().to_owned());
        reader.comment.clear();
        return;
    }
    let text = comment.trim_start_matches('#').trim();
    // A line of dashes only parts.
    if text.chars().any(char::is_alphanumeric) {
        reader.comment.push(text.to_owned());
    }
}

fn comment_text(comment: &[String]) -> Option<String> {
    let text = comment.join(" ");
    // `## name: text` names its target.
    Some(text).filter(|text| !text.is_empty())
}
