//! The lines of a justfile: heads of recipes, attributes, and texts that go on over several lines.

use crate::tasks::Argument;

/// `[private, group('x')]`, `[doc: "text"]`.
pub fn attributes(line: &str, out: &mut Vec<(String, Option<String>)>) {
    let end = line.rfind(']').unwrap_or(line.len());
    for part in split_outside(&line[1..end], ',') {
        let part = part.trim();
        let name: String = part.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        out.push((name, quoted(part)));
    }
}

/// The first text in quotes.
pub fn quoted(text: &str) -> Option<String> {
    let start = text.find(['\'', '"'])?;
    let mark = text[start..].chars().next()?;
    let inner = &text[start + 1..];
    let end = inner.find(mark)?;
    Some(inner[..end].to_owned())
}

/// What a line at the left margin begins.
pub enum Head {
    Assignment,
    Recipe { name: String, parameters: Vec<Argument>, dependencies: Vec<String> },
}

/// A recipe's name, parameters and dependencies; or an assignment, which has `:=`.
pub fn head(line: &str) -> Option<Head> {
    let mut parts = split_outside(line, ':');
    let front = parts.next()?;
    let behind = &line.get(front.len() + 1..)?;
    if behind.starts_with('=') {
        return Some(Head::Assignment);
    }
    let front = front.trim().trim_start_matches('@');
    let mut words = split_outside(front, ' ').map(str::trim).filter(|word| !word.is_empty());
    let name = words.next()?.to_owned();
    let is_name = |it: &str| it.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    if !is_name(&name) {
        return None;
    }
    let rest = front[name.len()..].replace(" = ", "=").replace(" =", "=").replace("= ", "=");
    let parameters = split_outside(&rest, ' ').map(str::trim).filter(|word| !word.is_empty()).map(parameter);
    Some(Head::Recipe { name, parameters: parameters.collect(), dependencies: dependencies(behind) })
}

/// `name`, `$name`, `+names`, `*names='default'`.
fn parameter(text: &str) -> Argument {
    let (name, default) = match text.split_once('=') {
        Some((name, default)) => (name, Some(default.trim_matches(['\'', '"']).to_owned())),
        None => (text, None),
    };
    let variadic = name.starts_with(['+', '*']);
    let required = default.is_none() && !name.starts_with('*');
    let name = name.trim_start_matches(['+', '*', '$']);
    Argument { required, variadic, ..Argument::optional(name).or(default) }
}

/// `a (b arg 'x y') && c`, without the comment behind.
fn dependencies(text: &str) -> Vec<String> {
    let text = split_outside(text, '#').next().unwrap_or("");
    let words = split_outside(text, ' ').map(str::trim).filter(|word| !word.is_empty() && *word != "&&");
    let name = |word: &str| {
        let inner = word.trim_start_matches('(').trim_end_matches(')').trim();
        inner.split_whitespace().next().map(str::to_owned)
    };
    words.filter_map(name).collect()
}

/// Parts of a text between marks that are not within quotes or brackets.
fn split_outside(text: &str, mark: char) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut depth = 0i32;
        let mut quote = None;
        for (at, c) in text.char_indices() {
            match (quote, c) {
                (Some(open), c) if c == open => quote = None,
                (Some(_), _) => {}
                (None, c) if c == mark && depth == 0 => {
                    rest = Some(&text[at + c.len_utf8()..]);
                    return Some(&text[..at]);
                }
                (None, '\'' | '"' | '`') => quote = Some(c),
                (None, '(' | '{' | '[') => depth += 1,
                (None, ')' | '}' | ']') => depth -= 1,
                _ => {}
            }
        }
        rest = None;
        Some(text)
    })
}

/// The items of a justfile: lines, joined where a text or a bracket goes on over several.
pub struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl<'a> Lines<'a> {
    pub fn of(text: &'a str) -> Self {
        Self { text, at: 0, line: 0 }
    }

    fn raw(&mut self) -> Option<&'a str> {
        let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
        let end = rest.find('\n').map_or(rest.len(), |at| at + 1);
        self.at += end;
        self.line += 1;
        Some(rest[..end].trim_end_matches(['\n', '\r']))
    }

    /// The next item with the number of its first line.
    pub fn next_item(&mut self) -> Option<(usize, String)> {
        let mut item = self.raw()?.to_owned();
        let number = self.line;
        if item.trim_start().starts_with('#') {
            return Some((number, item));
        }
        // An end that never comes is no reason to take the whole file as one text.
        let (at, line) = (self.at, self.line);
        while is_open(&item) {
            let Some(next) = self.raw() else {
                (self.at, self.line) = (at, line);
                break;
            };
            if item.ends_with('\\') {
                item.pop();
            }
            item.push('\n');
            item.push_str(next);
        }
        Some((number, item))
    }

    /// The indented lines that come next, and blank ones between them.
    pub fn body(&mut self) -> String {
        let mut out: Vec<&str> = Vec::new();
        loop {
            let before = (self.at, self.line);
            match self.raw() {
                Some(line) if line.starts_with([' ', '\t']) || line.is_empty() => out.push(line.trim()),
                Some(_) => {
                    (self.at, self.line) = before;
                    break;
                }
                None => break,
            }
        }
        // A blank line before the next recipe is its own, so that comments above that are known as such.
        out.join("\n").trim().to_owned()
    }
}

/// Whether a text in quotes or a bracket has not ended, or the line goes on behind `\`.
fn is_open(item: &str) -> bool {
    let mut depth = 0i32;
    let mut rest = item;
    while let Some(c) = rest.chars().next() {
        let mark = ["'''", "\"\"\"", "```", "'", "\"", "`"].into_iter().find(|mark| rest.starts_with(mark));
        if let Some(mark) = mark {
            let Some(end) = rest[mark.len()..].find(mark) else { return true };
            rest = &rest[mark.len() + end + mark.len()..];
            continue;
        }
        match c {
            '#' => return depth > 0,
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        rest = &rest[c.len_utf8()..];
    }
    depth > 0 || item.ends_with('\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_of_recipes() {
        let Some(Head::Recipe { name, parameters, dependencies }) =
            head("@deploy $env tag='a: b' +files: build (push env 'x y') && notify # why")
        else {
            panic!("a recipe")
        };
        assert_eq!(name, "deploy");
        let seen: Vec<_> =
            parameters.iter().map(|it| (&*it.name, it.required, it.variadic, it.default.as_deref())).collect();
        assert_eq!(
            seen,
            [("env", true, false, None), ("tag", false, false, Some("a: b")), ("files", true, true, None)]
        );
        assert_eq!(dependencies, ["build", "push", "notify"]);
        assert!(matches!(head("x := 'a:b'"), Some(Head::Assignment)));
        assert!(head("what is this").is_none());
    }
}
