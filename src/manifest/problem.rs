//! What is wrong with a manifest: all of it at once, each with its place and the next thing to do.

use super::source::{Sources, Span};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub severity: Severity,
    /// A stable word for scripts: `unknown_key`.
    pub code: &'static str,
    pub message: String,
    pub at: Option<Span>,
    /// A second place that belongs to it ("first defined here").
    pub related: Option<(Span, &'static str)>,
    pub hint: Option<String>,
    /// The task that it is about, where it matters to nobody who does not run that one.
    pub task: Option<String>,
}

/// Whether a manifest with this problem can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Error,
    Warning,
}

impl Severity {
    /// The word for users and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

impl Problem {
    /// An error.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            at: None,
            related: None,
            hint: None,
            task: None,
        }
    }

    /// Something to know that stops nothing.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    /// The same, with its place.
    pub fn at(mut self, span: Span) -> Self {
        self.at = Some(span);
        self
    }

    /// The same, with what to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same, with a hint where there is one.
    pub fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }

    /// The same, as a matter of one task alone.
    pub fn of_task(mut self, task: impl Into<String>) -> Self {
        self.task = Some(task.into());
        self
    }

    /// The same, with a second place.
    pub fn related(mut self, span: Span, label: &'static str) -> Self {
        self.related = Some((span, label));
        self
    }
}

/// Everything that is wrong, with the texts that the places are in.
#[derive(Debug, Clone, Default)]
pub struct Problems {
    pub sources: Sources,
    pub list: Vec<Problem>,
}

impl Problems {
    /// Adds one, unless the very same is there already: an anchor used ten times is wrong once.
    pub fn push(&mut self, problem: Problem) {
        if !self.list.contains(&problem) {
            self.list.push(problem);
        }
    }

    /// How many of them forbid the use of the manifest.
    pub fn errors(&self) -> usize {
        self.list.iter().filter(|problem| problem.severity == Severity::Error).count()
    }

    /// Whether one of them does.
    pub fn has_errors(&self) -> bool {
        self.errors() > 0
    }

    /// A line for each that forbids the use of the manifest: `nagaya.yaml:3:5: a service has no key …`.
    pub fn brief(&self) -> Vec<String> {
        let brief = |problem: &Problem| match problem.at {
            Some(span) => {
                let (path, at) = (&self.sources.get(span.source).path, self.sources.position(span));
                format!("{}:{}:{}: {}", path.display(), at.line, at.column, problem.message)
            }
            None => problem.message.clone(),
        };
        self.list.iter().filter(|problem| problem.severity == Severity::Error).map(brief).collect()
    }

    /// In the order of the files and the lines in them.
    pub fn sort(&mut self) {
        self.list.sort_by_key(|problem| problem.at.map(|span| (span.source, span.start)));
    }
}

/// "did you mean `x`?" for the nearest of `known`, if any is near.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word.to_lowercase(), candidate), candidate))
        .filter(|(distance, candidate)| *distance * 3 <= word.len().max(candidate.len()))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| format!("did you mean `{candidate}`?"))
}

/// A hint at the keys that begin as a word does, or with which it begins: `env`, `readinessProbe`.
pub fn did_you_mean_key(word: &str, known: &[&str]) -> Option<String> {
    let word = word.to_lowercase();
    let is_begun = |key: &&&str| word.starts_with(**key) || key.starts_with(&word);
    let is_word = |key: &&&str| key.len().min(word.len()) >= SHORTEST;
    let begun: Vec<String> = known.iter().filter(is_word).filter(is_begun).map(|it| format!("`{it}`")).collect();
    (1..=MOST_BEGUN).contains(&begun.len()).then(|| format!("did you mean {}?", begun.join(" or ")))
}

/// Of what is shorter it cannot be told what it begins.
const SHORTEST: usize = 3;
/// More than that are no suggestion.
const MOST_BEGUN: usize = 2;

#[cfg(test)]
mod tests {
    use super::{did_you_mean, did_you_mean_key};

    #[test]
    fn suggests_only_what_is_near() {
        let known = ["depends_on", "ports", "command"];
        assert_eq!(did_you_mean("depend_on", known).as_deref(), Some("did you mean `depends_on`?"));
        assert_eq!(did_you_mean("Port", known).as_deref(), Some("did you mean `ports`?"));
        assert_eq!(did_you_mean("banana", known), None);
    }

    #[test]
    fn suggests_keys_that_begin_alike() {
        let known = &["environment", "env_file", "readiness", "a"];
        assert_eq!(did_you_mean_key("env", known).as_deref(), Some("did you mean `environment` or `env_file`?"));
        assert_eq!(did_you_mean_key("readinessProbe", known).as_deref(), Some("did you mean `readiness`?"));
        assert_eq!(did_you_mean_key("ab", known), None);
    }
}
