//! Rake, <https://ruby.github.io/rake/>, and what stands on it: Capistrano. A Rakefile is a program; tasks with literal
//! names are found, known helpers of gems are expanded, and the rest is counted.

use crate::tasks::formats::code::{Code, Kind as Token};
use crate::tasks::formats::language::RUBY;
use crate::tasks::look::Look;
use crate::tasks::runner::{Read, Reading, Runner, Via};
use crate::tasks::{Argument, Definition, Draft, Kind, Origin};

pub const RUNNER: Runner = Runner::new("rake", read)
    .first(&["rakefile", "Rakefile", "rakefile.rb", "Rakefile.rb"])
    .every(&["rakelib/*.rake", "lib/tasks/**/*.rake"])
    .runs(Via::Ruby, &["rake", "{}"]);
/// <https://capistranorb.com/>
pub const CAPISTRANO: Runner = Runner::new("capistrano", read)
    .every(&["Capfile", "lib/capistrano/tasks/*.rake", "lib/capistrano/tasks/*.cap"])
    .runs(Via::Ruby, &["cap", "{}"]);

/// Helpers that make tasks, with the tasks that they make: their names, and what they say of themselves.
type Helper = (&'static str, &'static [(&'static str, &'static str)]);

const REQUIRES: [Helper; 4] = [
    (
        "bundler/gem_tasks",
        &[
            ("build", "Build the gem into pkg"),
            ("build:checksum", "Write a checksum of the gem"),
            ("install", "Build the gem and install it"),
            ("install:local", "The same without the network"),
            ("release", "Tag the version, push it, and publish the gem"),
            ("release:guard_clean", ""),
            ("release:rubygem_push", ""),
            ("release:source_control_push", ""),
        ],
    ),
    ("rake/clean", &[("clean", "Remove temporary files"), ("clobber", "Remove all that was made")]),
    ("rspec/core/rake_task", &[]),
    ("rubocop/rake_task", &[]),
];

/// A class whose objects make tasks, the usual name, and what is added to it for further tasks.
type Class = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// Classes whose objects make tasks. `!` puts the addition before the name.
const CLASSES: [Class; 11] = [
    ("Rake :: TestTask . new", "test", &[("", "Run tests")]),
    (
        "Minitest :: TestTask . create",
        "test",
        &[("", "Run the tests"), (":cmd", ""), (":isolated", ""), (":slow", ""), (":deps", "")],
    ),
    ("RSpec :: Core :: RakeTask . new", "spec", &[("", "Run RSpec")]),
    (
        "RuboCop :: RakeTask . new",
        "rubocop",
        &[("", "Run RuboCop"), (":autocorrect", "Correct what is safe"), (":autocorrect_all", "Correct all")],
    ),
    (
        "RDoc :: Task . new",
        "rdoc",
        &[("", "Build the documentation"), (":coverage", ""), ("!clobber_", ""), ("!re", "")],
    ),
    ("YARD :: Rake :: YardocTask . new", "yard", &[("", "Build the documentation")]),
    ("Cucumber :: Rake :: Task . new", "cucumber", &[("", "Run features")]),
    ("Rake :: ExtensionTask . new", "compile", &[("", "Compile extensions")]),
    ("Gem :: PackageTask . new", "package", &[("", "Build packages")]),
    ("Rake :: PackageTask . new", "package", &[("", "Build packages")]),
    ("Steep :: RakeTask . new", "steep", &[("", "Check types")]),
];

/// A block that ends with `end`, or at the place of a bracket, and the namespace that it opens.
struct Open {
    space: Option<String>,
    closing: Option<usize>,
}

pub fn read(look: &Look<'_>) -> Read {
    let code = Code::of(look.text, &RUBY);
    let mut reading = Rakefile::read(&code);
    for word in ["load_tasks", "import", "load", "require_relative"] {
        let is_called =
            |at: usize| code.word(at) == Some(word) && (code.is_first(at) || code.is_mark(at.wrapping_sub(1), '.'));
        if (0..code.tokens.len()).any(is_called) {
            reading.uncounted(format!("tasks of other files (`{word}`)"));
        }
    }
    Ok(Some(merged(reading)))
}

/// A task may be defined in parts: their dependencies add up, and the first description counts.
fn merged(reading: Reading) -> Reading {
    let mut out = Reading { gaps: reading.gaps, ..Reading::default() };
    for draft in reading.tasks {
        match out.tasks.iter_mut().find(|known| known.name == draft.name) {
            Some(known) => {
                known.description = known.description.take().or(draft.description);
                known.private = known.description.is_none();
                known.depends_on.extend(draft.depends_on);
                if known.arguments.is_empty() {
                    known.arguments = draft.arguments;
                }
            }
            None => out.tasks.push(draft),
        }
    }
    out
}

struct Rakefile<'a> {
    code: &'a Code<'a>,
    reading: Reading,
    open: Vec<Open>,
    /// The last `do` that was counted with its namespace.
    counted: Option<usize>,
    described: Option<String>,
}

impl<'a> Rakefile<'a> {
    fn read(code: &'a Code<'a>) -> Reading {
        let mut rakefile = Self { code, reading: Reading::default(), open: Vec::new(), counted: None, described: None };
        for at in 0..code.tokens.len() {
            rakefile.token(at);
        }
        rakefile.reading
    }

    fn token(&mut self, at: usize) {
        let code = self.code;
        while self.open.last().and_then(|open| open.closing).is_some_and(|closing| closing <= at) {
            self.open.pop();
        }
        let Some(word) = code.word(at) else { return };
        let is_call =
            !code.is_mark(at.wrapping_sub(1), '.') || code.matches(at.saturating_sub(2), &format!("Rake . {word}"));
        // `x.task`, `task: 1`, `:task` and `def task` are other things.
        let is_name = code.is_mark(at.wrapping_sub(1), ':')
            || code.word(at.wrapping_sub(1)) == Some("def")
            || code.is_mark(at + 1, '=')
            || !is_given_a_name(code, at);
        match word {
            "desc" if code.is_first(at) => self.described = self.text_after(at),
            "namespace" if is_call && !is_name && starts_statement(code, at) => self.namespace(at),
            "define_task" if code.is_mark(at.wrapping_sub(1), '.') && !is_name => self.task(at, "task"),
            "task" | "multitask" | "file" | "directory" if is_call && !is_name && starts_statement(code, at) => {
                self.task(at, word)
            }
            "require" if code.is_first(at) => self.require(at),
            _ => self.class(at),
        }
        self.block(at, word);
    }

    fn text_after(&self, at: usize) -> Option<String> {
        (at + 1..at + 3).find_map(|at| self.code.text(at)).map(str::to_owned)
    }

    /// Keeps count of what `end` ends.
    fn block(&mut self, at: usize, word: &str) {
        let opens = match word {
            // A word behind a statement ends nothing: `x if y`.
            "if" | "unless" | "while" | "until" | "case" | "begin" | "class" | "module" | "for" => {
                self.code.is_first(at) || self.code.is_mark(at.wrapping_sub(1), '=')
            }
            "def" => true,
            // `while x do` is one block.
            "do" => !self.line_has_loop(at),
            _ => false,
        };
        if opens && self.counted != Some(at) {
            self.open.push(Open { space: None, closing: None });
        }
        let is_method = self.code.is_mark(at.wrapping_sub(1), '.') || self.code.is_mark(at + 1, ':');
        if word == "end" && !is_method {
            self.open.pop();
        }
    }

    fn line_has_loop(&self, at: usize) -> bool {
        let line = self.code.line(at);
        let mut before = (0..at).rev().take_while(|it| self.code.line(*it) == line);
        before.any(|it| self.code.is_first(it) && matches!(self.code.word(it), Some("while" | "until" | "for")))
    }

    fn namespace(&mut self, at: usize) {
        let name = self.name(at + 1).map(|(name, _)| name);
        if name.is_none() {
            self.reading.gap("namespaces whose names are computed");
        }
        let line = self.code.line(at);
        let mut on_line = (at + 1..self.code.tokens.len()).take_while(|it| self.code.line(*it) == line);
        let block = on_line.find(|it| self.code.word(*it) == Some("do") || self.code.is_mark(*it, '{'));
        let closing = block.filter(|it| self.code.is_mark(*it, '{')).map(|it| self.code.closing(it));
        self.counted = block.or(self.counted);
        self.open.push(Open { space: Some(name.unwrap_or_else(|| "?".to_owned())), closing });
    }

    fn prefix(&self) -> String {
        self.open.iter().filter_map(|open| open.space.as_ref()).map(|space| format!("{space}:")).collect()
    }

    /// `:name`, `"name"`, `name:`, with the place behind it. A bracket before it is skipped.
    fn name(&self, at: usize) -> Option<(String, usize)> {
        let code = self.code;
        let at = if code.is_mark(at, '(') { at + 1 } else { at };
        if code.is_mark(at, ':') {
            let name = code.word(at + 1).or_else(|| code.text(at + 1))?;
            return Some((name.to_owned(), at + 2));
        }
        if let Some(text) = code.text(at) {
            return Some((text.to_owned(), at + 1));
        }
        // `name: [...]` names its dependencies right away.
        code.word(at)
            .filter(|_| code.is_mark(at + 1, ':') && !self.is_scope(at + 1))
            .map(|name| (name.to_owned(), at + 1))
    }

    /// `::` is one mark, `: :` are two.
    fn is_scope(&self, at: usize) -> bool {
        let tokens = &self.code.tokens;
        self.code.is_mark(at + 1, ':') && tokens[at].column + 1 == tokens[at + 1].column
    }

    fn task(&mut self, at: usize, word: &str) {
        let code = self.code;
        let described = self.described.take();
        let named = self.name(at + 1).filter(|(_, next)| !is_worked_on(code, *next));
        let Some((name, mut next)) = named else {
            let what = if word == "task" || word == "multitask" { "tasks" } else { "files" };
            self.reading.gap(format!("{what} whose names are computed"));
            return;
        };
        if self.open.iter().any(|open| open.space.as_deref() == Some("?")) {
            return;
        }
        let mut arguments = Vec::new();
        if code.is_mark(next, ',') {
            let open = next + 1;
            arguments = match code.is_mark(open, '[') {
                true => self.symbols(open, code.closing(open)),
                false => {
                    self.name(open).filter(|_| !code.is_mark(open + 1, ':')).map(|(name, _)| name).into_iter().collect()
                }
            };
            next = if code.is_mark(open, '[') { code.closing(open) + 1 } else { open + 2 };
        }
        let needs = self.needs(next);
        let line = code.line(at);
        let is_file = word == "file" || word == "directory";
        let private = described.is_none();
        let prefix = if is_file { String::new() } else { self.prefix() };
        self.reading.tasks.push(
            Draft::new(format!("{prefix}{name}"), line)
                .describe(described, Origin::Field)
                .kind(if is_file { Kind::File } else { Kind::Task })
                // `rake -T` shows only what is described.
                .private(private)
                .arguments(arguments.into_iter().map(Argument::optional).collect())
                .after(needs),
        );
    }

    /// `=> :a`, `=> [:a, "b"]`, `: [:a]`, `: :a`, `needs: x`.
    fn needs(&self, at: usize) -> Vec<String> {
        let code = self.code;
        let start = match () {
            () if code.is_mark(at, '=') && code.is_mark(at + 1, '>') => at + 2,
            () if code.is_mark(at, ':') => at + 1,
            () => return Vec::new(),
        };
        match code.is_mark(start, '[') || code.is_mark(start, '%') {
            true => self.list(start),
            false => self.name(start).map(|(name, _)| name).into_iter().collect(),
        }
    }

    /// `[:a, "b"]`, or `%w[a b]` and `%i[a b]`.
    fn list(&self, at: usize) -> Vec<String> {
        if self.code.is_mark(at, '[') {
            return self.symbols(at, self.code.closing(at));
        }
        let end = self.code.closing(at + 2);
        let words = (at + 3..end).filter_map(|at| self.code.word(at));
        if matches!(self.code.word(at + 1), Some("w" | "i")) { words.map(str::to_owned).collect() } else { Vec::new() }
    }

    /// `:a` and `"b"` between two places.
    fn symbols(&self, start: usize, end: usize) -> Vec<String> {
        let mut out = Vec::new();
        let mut at = start + 1;
        while at < end {
            match self.name(at) {
                Some((name, next)) => {
                    out.push(name);
                    at = next;
                }
                None => at += 1,
            }
        }
        out
    }

    fn require(&mut self, at: usize) {
        let Some(text) = self.text_after(at) else { return };
        for (_, tasks) in REQUIRES.iter().filter(|(name, _)| *name == text) {
            for (name, about) in *tasks {
                self.known(name, about, at);
            }
        }
        let is_known =
            REQUIRES.iter().any(|(name, _)| *name == text) || CLASSES.iter().any(|(class, ..)| gem_of(class) == text);
        if !is_known && (text.ends_with("tasks") || text.ends_with("rake")) {
            self.reading.uncounted(format!("tasks of `{text}`"));
        }
    }

    /// `Rake::TestTask.new(:x)`.
    fn class(&mut self, at: usize) {
        let spaced = |pattern: &str| pattern.replace("::", ": :");
        let Some((pattern, usual, suffixes)) = CLASSES.iter().find(|(it, ..)| self.code.matches(at, &spaced(it)))
        else {
            return;
        };
        if self.code.is_mark(at.wrapping_sub(1), ':') {
            return;
        }
        let length = spaced(pattern).split(' ').count();
        let own = self.name(at + length).map(|(name, _)| name);
        // The others are given something else first.
        let is_named_first = ["TestTask", "RakeTask"].iter().any(|it| pattern.contains(it));
        if own.is_none() && is_named_first && is_given_a_name(self.code, at + length - 1) {
            self.described = None;
            return self.reading.gap("tasks whose names are computed");
        }
        let name = own.as_deref().unwrap_or(usual);
        for (suffix, about) in *suffixes {
            let full = match suffix.strip_prefix('!') {
                Some(prefix) => format!("{prefix}{name}"),
                None => format!("{name}{suffix}"),
            };
            self.known(&full, about, at);
        }
        self.described = None;
    }

    fn known(&mut self, name: &str, about: &str, at: usize) {
        let described = self.described.clone();
        let text = described.unwrap_or_else(|| about.to_owned());
        self.reading.tasks.push(
            Draft::new(format!("{}{name}", self.prefix()), self.code.line(at))
                .private(text.is_empty())
                .describe(Some(text), Origin::Known)
                .definition(Definition::Inferred),
        );
    }
}

fn gem_of(class: &str) -> &'static str {
    match class.split(' ').next() {
        Some("Minitest") => "minitest/test_task",
        Some("Rake") => "rake/testtask",
        _ => "",
    }
}

/// The first word of a line, or of a block: not an argument.
fn starts_statement(code: &Code<'_>, at: usize) -> bool {
    let before = at.wrapping_sub(1);
    code.is_first(at)
        || [';', '.', '|', '{'].iter().any(|mark| code.is_mark(before, *mark))
        || matches!(code.word(before), Some("do" | "then" | "else" | "begin"))
}

/// Whether a word is followed by something that can name a task: `task n`, `task "a"`, `task(n)`, `task *n`. What has the
/// word as a name for something else goes on otherwise: `task.libs`, `|task|`, `task: 1`, `file if x`.
fn is_given_a_name(code: &Code<'_>, at: usize) -> bool {
    const GOES_ON: [&str; 8] = ["if", "unless", "and", "or", "do", "end", "in", "while"];
    let (Some(own), Some(next)) = (code.tokens.get(at), code.tokens.get(at + 1)) else { return false };
    let length = code.word(at).map_or(0, str::len);
    let is_beside = next.line == own.line && next.column == own.column + length;
    match &next.kind {
        _ if next.first => false,
        Token::Mark('(') => !code.is_mark(at + 2, ')'),
        // `a ? task : b` has a space behind it as well.
        Token::Mark(':' | '*' | '@' | '$' | '%' | '[') if !is_beside => {
            code.tokens.get(at + 2).is_some_and(|it| it.line == next.line && it.column == next.column + 1)
        }
        Token::Mark(_) => false,
        Token::Word(word) => !GOES_ON.contains(word),
        Token::Text(..) => true,
    }
}

/// Whether a name is only a part of one: `"a" + b`, `"%s" % b`, `"a".freeze`.
fn is_worked_on(code: &Code<'_>, at: usize) -> bool {
    !code.is_first(at) && ['+', '%', '.'].iter().any(|mark| code.is_mark(at, *mark))
}

#[cfg(test)]
mod tests;
