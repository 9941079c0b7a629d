//! What to run.

use super::Template;

/// A command line.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Command {
    /// One string: given to the shell (`sh -c`).
    Shell(Template),
    /// A list: the program and its arguments, no shell between.
    Argv(Vec<Template>),
}

impl Command {
    /// The program and its arguments, each reference filled in by `fill`.
    pub fn argv(&self, mut fill: impl FnMut(&Template) -> String) -> Vec<String> {
        match self {
            Self::Shell(line) => vec!["/bin/sh".to_owned(), "-c".to_owned(), replacing_shell(fill(line))],
            Self::Argv(words) => words.iter().map(fill).collect(),
        }
    }

    /// The program and its arguments, with more of these behind; a shell's line gets them as its own, and where it does
    /// not say itself what becomes of them, they stand behind it.
    pub fn argv_with(&self, arguments: &[String]) -> Vec<String> {
        let mut argv = match self {
            Self::Shell(line) if !arguments.is_empty() => {
                let line = line.written();
                let line = if reads_arguments(&line) { line } else { format!("{line} \"$@\"") };
                vec!["/bin/sh".to_owned(), "-c".to_owned(), line, "sh".to_owned()]
            }
            _ => self.argv(Template::written),
        };
        argv.extend(arguments.iter().cloned());
        argv
    }

    /// The words of a container's command: a text is split as a shell would, but no shell runs it. Nothing where a
    /// quote is not closed.
    pub fn words(&self, mut fill: impl FnMut(&Template) -> String) -> Option<Vec<String>> {
        match self {
            Self::Shell(line) => shlex::split(&fill(line)),
            Self::Argv(words) => Some(words.iter().map(fill).collect()),
        }
    }

    /// The parts that may hold references.
    pub fn templates(&self) -> &[Template] {
        match self {
            Self::Shell(line) => std::slice::from_ref(line),
            Self::Argv(words) => words,
        }
    }

    /// One line for people.
    pub fn written(&self) -> String {
        match self {
            Self::Shell(line) => line.written(),
            Self::Argv(words) => words.iter().map(Template::written).collect::<Vec<_>>().join(" "),
        }
    }
}

/// What a program and its arguments are called in messages: of what a shell is given its first line, which may be a
/// comment that says what the lines below it do.
pub fn spoken(argv: &[String]) -> String {
    let [_, flag, script] = argv else { return argv.join(" ") };
    if flag != "-c" {
        return argv.join(" ");
    }
    let script = script.trim();
    let first = script.lines().next().unwrap_or_default().trim_end();
    match first.strip_prefix('#') {
        Some(comment) => comment.trim_start().to_owned(),
        None if first.len() < script.len() => format!("{first} …"),
        None => first.strip_prefix("exec ").unwrap_or(first).to_owned(),
    }
}

/// Lets a single command take the shell's place, as shells other than Debian's do by themselves: one process less,
/// and signals and the process number are the program's own. A line that is more than one command stays as it is.
fn replacing_shell(line: String) -> String {
    let several = |c: char| matches!(c, '|' | '&' | ';' | '(' | ')' | '{' | '}' | '`' | '\n' | '!' | '#');
    let first = line.split_whitespace().next().unwrap_or("");
    let is_program = !first.contains(['=', '$', '\'', '"', '<', '>']) && !SHELL_WORDS.contains(&first);
    if first.is_empty() || line.contains(several) || !is_program { line } else { format!("exec {line}") }
}

/// The shell's own commands and keywords (POSIX, "Shell Command Language"), which nothing can take the place of.
const SHELL_WORDS: [&str; 44] = [
    ".", ":", "[", "alias", "bg", "break", "case", "cd", "command", "continue", "do", "echo", "eval", "exec", "exit",
    "export", "false", "fg", "for", "getopts", "hash", "if", "jobs", "kill", "local", "printf", "pwd", "read",
    "readonly", "return", "set", "shift", "source", "test", "times", "trap", "true", "type", "ulimit", "umask",
    "unalias", "unset", "until", "while",
];

/// Whether a shell's line has a word of its own for its arguments: `$@`, `${1}` and the like. What is in single quotes
/// or behind a backslash is somebody else's, as the `$1` of awk.
fn reads_arguments(line: &str) -> bool {
    let (mut is_single, mut is_double) = (false, false);
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        match c {
            '\'' if !is_double => is_single = !is_single,
            _ if is_single => {}
            '\\' => {
                rest.next();
            }
            '"' => is_double = !is_double,
            '$' if is_argument(rest.as_str()) => return true,
            _ => {}
        }
    }
    false
}

/// What stands behind a `$`.
fn is_argument(rest: &str) -> bool {
    rest.trim_start_matches('{').starts_with(['@', '*', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_given_once() {
        let given = |line: &str| {
            let command = Command::Shell(Template::text(line));
            command.argv_with(&["a b".to_owned()]).swap_remove(2)
        };
        assert_eq!(given("run it"), "run it \"$@\"");
        for line in ["for it in \"$@\"; do run $it; done", "run ${1:-x}", "run $*", "echo \"it's $1\"", "echo 'a' $2"] {
            assert_eq!(given(line), line);
        }
        let others = ["run $HOME ${PORT}", "awk '{print $1}'", "sh -c 'run \"$@\"' sh", "echo \\$1 \"\\$1\" \\'"];
        for line in others {
            assert_eq!(given(line), format!("{line} \"$@\""));
        }
    }

    #[test]
    fn a_command_is_called_by_one_line() {
        let called = |argv: &[&str]| spoken(&argv.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(called(&["pg_isready", "-q"]), "pg_isready -q");
        assert_eq!(called(&["grep", "-q", "x"]), "grep -q x");
        assert_eq!(called(&["sh", "-c", "exec pg_isready -q"]), "pg_isready -q");
        assert_eq!(called(&["sh", "-c", "a && b\n"]), "a && b");
        assert_eq!(called(&["sh", "-c", "a\nb\n"]), "a …");
        assert_eq!(called(&["sh", "-c", "# asks it\na\nb\n"]), "asks it");
        assert_eq!(called(&["sh", "-c", ""]), "");
        assert_eq!(called(&[]), "");
    }

    #[test]
    fn only_a_single_program_takes_the_shells_place() {
        let cases = [
            ("./run --port $PORT", "exec ./run --port $PORT"),
            ("node x.js > out 2>/dev/null", "exec node x.js > out 2>/dev/null"),
            ("cd x && ./run", "cd x && ./run"),
            ("A=1 ./run", "A=1 ./run"),
            ("exit 3", "exit 3"),
            ("$CMD x", "$CMD x"),
            ("a; b", "a; b"),
            ("psql -c 'select 1;'", "psql -c 'select 1;'"),
        ];
        for (line, run) in cases {
            assert_eq!(replacing_shell(line.to_owned()), run, "{line}");
        }
    }
}
