//! How many targets `$(eval)` and `$(call)` make in a Makefile, as far as that can be told without executing anything.

use std::collections::HashMap;

use super::make_expand::{Variables, closing, split};
use super::make_syntax::{assignment, is_target, split_rule, without_comment};
use crate::tasks::Gap;

/// The templates of a Makefile, and the targets that were made.
#[derive(Debug, Default)]
pub struct Made {
    /// Targets by template; nothing where a line of it makes more of them in turn.
    templates: HashMap<String, Option<usize>>,
    /// Targets so far.
    count: usize,
    /// There may be more, nobody knows how many.
    unsure: bool,
}

impl Made {
    /// A `define` begins; an older one of that name counts no more.
    pub fn begin(&mut self, name: &str) {
        self.templates.insert(name.to_owned(), Some(0));
    }

    /// A line of a `define`.
    pub fn template(&mut self, name: &str, line: &str, prefix: char) {
        let Some(count) = self.templates.get_mut(name) else { return };
        if !line.starts_with(prefix) {
            *count = count.zip(targets(line)).map(|(count, more)| count + more);
        }
    }

    /// A line that is neither rule nor assignment.
    pub fn statement(&mut self, line: &str, variables: &Variables) {
        match self.of(line, variables, false) {
            Some(count) => self.count += count,
            None => self.unsure = true,
        }
    }

    /// What there is to tell of it.
    pub fn gap(&self) -> Option<Gap> {
        let count = if self.unsure { 0 } else { self.count };
        let reason = "rules that `$(eval)` or `$(call)` make".to_owned();
        (self.unsure || count > 0).then_some(Gap { reason, count })
    }

    /// How many targets a text makes where it stands, or where `$(eval)` reads it.
    fn of(&self, text: &str, variables: &Variables, is_read: bool) -> Option<usize> {
        let text = text.trim();
        let whole = text.strip_prefix('$').filter(|it| it.starts_with(['(', '{']));
        let Some(end) = whole.and_then(closing).filter(|end| end + 2 == text.len()) else {
            return if is_read { targets(text) } else { self.parts(text, variables) };
        };
        let (function, rest) = text[2..=end].split_once([' ', '\t'])?;
        match function {
            "eval" => self.of(rest, variables, true),
            "call" if is_read => *self.templates.get(split(rest).first()?.trim())?,
            "foreach" => {
                let parts = split(rest);
                let [_, list, body] = parts[..] else { return None };
                let times = variables.expand(list).ok()?.split_whitespace().count();
                Some(times * self.of(body, variables, is_read)?)
            }
            "info" | "warning" => Some(0),
            _ => None,
        }
    }

    /// Several of them one after the other.
    fn parts(&self, text: &str, variables: &Variables) -> Option<usize> {
        let mut count = 0;
        let mut rest = text.trim();
        while !rest.is_empty() {
            let inner = rest.strip_prefix('$').filter(|it| it.starts_with(['(', '{']))?;
            let (part, after) = rest.split_at(closing(inner)? + 2);
            if part.len() == text.len() {
                return None;
            }
            count += self.of(part, variables, false)?;
            rest = after.trim_start();
        }
        Some(count)
    }
}

/// How many targets a line names; nothing where it may make more than it names.
fn targets(line: &str) -> Option<usize> {
    let line = without_comment(line);
    let line = line.trim();
    if assignment(line).is_some() {
        return Some(0);
    }
    match split_rule(line) {
        // What a bracket stands for is one name in most templates: `$(1)-test`.
        Some((names, _)) => Some(names.split_whitespace().filter(|name| is_target(name)).count()),
        None if line.contains('$') || line.starts_with("include") => None,
        None => Some(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_templates_and_loops_make_is_counted() {
        let mut variables = Variables::of("/w");
        variables.set("NAMES", "a b c");
        let mut made = Made::default();
        made.begin("T");
        for line in [".PHONY: $(1)-test", "$(1)-test: ## a: b", "\tgo: test", "X_$(1) := y", "$(1)-a $(1)-b: x"] {
            made.template("T", line, '\t');
        }
        made.begin("DEEP");
        made.template("DEEP", "$(eval $(call T,$(1)))", '\t');
        let cases = [
            ("$(foreach n,$(NAMES),$(eval $(call T,$(n))))", Some(9)),
            ("$(foreach n,$(NAMES),$(foreach m,x y,$(eval $(n)-$(m): ; @true)))", Some(6)),
            ("$(eval X := 1)", Some(0)),
            ("$(eval $(call T,z)) ${eval b: ; @true}", Some(4)),
            ("$(foreach n,$(shell ls),$(eval $(call T,$(n))))", None),
            ("$(eval $(call DEEP,z))", None),
            ("$(eval $(call nobody,z))", None),
            ("$(call T,z)", None),
            ("x $(eval", None),
        ];
        for (text, wanted) in cases {
            assert_eq!(made.of(text, &variables, false), wanted, "{text}");
        }
        made.statement("$(eval X := 1)", &variables);
        assert_eq!(made.gap(), None);
        made.statement("$(eval b: ; @true)", &variables);
        assert_eq!(made.gap().map(|gap| gap.count), Some(1));
        made.statement("$(call T,z)", &variables);
        assert_eq!(made.gap().map(|gap| gap.count), Some(0));
    }
}
