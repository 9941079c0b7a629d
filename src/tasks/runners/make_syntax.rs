//! The lines of a Makefile: assignments, rules, comments.

use super::make_expand::closing;

/// `NAME = value` and its kin.
pub struct Assignment<'a> {
    pub name: &'a str,
    pub operator: &'a str,
    pub value: &'a str,
}

pub fn assignment(line: &str) -> Option<Assignment<'_>> {
    let mut line = line.trim_start();
    while let Some((word, rest)) = line.split_once([' ', '\t'])
        && ["export", "override", "private"].contains(&word)
    {
        line = rest.trim_start();
    }
    let end = end_of_name(line)?;
    let (name, rest) = line.split_at(end);
    let rest = rest.trim_start();
    let operators = [":::=", "::=", ":=", "+=", "?=", "!=", "="];
    let operator = operators.into_iter().find(|it| rest.starts_with(it))?;
    Some(Assignment { name, operator, value: rest[operator.len()..].trim() }).filter(|it| !it.name.is_empty())
}

/// Where the first word ends, at a space or an operator; brackets belong to it.
fn end_of_name(line: &str) -> Option<usize> {
    let mut at = 0;
    while let Some(c) = line[at..].chars().next() {
        match c {
            '(' | '{' => at += closing(&line[at..])? + 1,
            ' ' | '\t' | ':' | '=' | '+' | '?' | '!' => break,
            c => at += c.len_utf8(),
        }
    }
    Some(at)
}

/// The targets of a rule, and what comes after its colon or colons.
pub fn split_rule(line: &str) -> Option<(&str, &str)> {
    let mut at = 0;
    while let Some(c) = line[at..].chars().next() {
        match c {
            '(' | '{' if line[..at].ends_with('$') => at += closing(&line[at..])? + 1,
            '\\' => at += 1 + line[at + 1..].chars().next().map_or(0, char::len_utf8),
            ':' => {
                let rest = line[at + 1..].trim_start_matches(':');
                // `a b &: c` makes both at once.
                return Some((line[..at].trim_end().trim_end_matches('&'), rest));
            }
            c => at += c.len_utf8(),
        }
    }
    None
}

/// `target: NAME = value` sets a variable for one target.
pub fn is_target_variable(rest: &str) -> bool {
    assignment(rest).is_some_and(|it| !it.name.contains(['$', '/']))
}

/// No pattern, no suffix rule, no setting of make's own.
pub fn is_target(name: &str) -> bool {
    !name.contains('%') && (!name.starts_with('.') || name.contains('/'))
}

/// A name as make knows it: without backslashes, and without a `./` before it.
pub fn unescape(name: &str) -> String {
    let name = name.replace('\\', "");
    match name.trim_start_matches("./") {
        "" => name,
        bare => bare.to_owned(),
    }
}

pub fn unique(names: &[String]) -> Vec<String> {
    names.iter().collect::<indexmap::IndexSet<_>>().into_iter().cloned().collect()
}

/// The line without a comment; `\#` begins none.
pub fn without_comment(line: &str) -> String {
    match comment_start(line) {
        Some(at) => line[..at].to_owned(),
        None => line.to_owned(),
    }
}

fn comment_start(line: &str) -> Option<usize> {
    line.match_indices('#').map(|(at, _)| at).find(|at| !line[..*at].ends_with('\\'))
}

/// `## text` behind a rule.
pub fn beside(line: &str) -> Option<&str> {
    let at = comment_start(line)?;
    Some(line[at..].strip_prefix("##")?.trim()).filter(|text| !text.is_empty())
}
