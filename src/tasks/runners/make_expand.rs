//! The part of make's expansion that needs nothing but its file: variables with literal values, and functions of text.
//!
//! GNU make manual, chapters 6 and 8, <https://www.gnu.org/software/make/manual/>.

use std::collections::HashMap;

/// Variables by name. `None` is one whose value only make knows.
#[derive(Debug, Default, Clone)]
pub struct Variables(HashMap<String, Option<String>>);

/// Why an expansion is not known, as the thing that it needs: `$(shell)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown(pub String);

/// Deeper references are a circle.
const DEEPEST: usize = 40;
/// Longer values come from circles that double.
const LONGEST: usize = 1 << 16;

impl Variables {
    /// What make itself sets, as far as names of targets have it.
    pub fn of(folder: &str) -> Self {
        let mut own = Self::default();
        own.set("CURDIR", folder);
        own.set("MAKE", "make");
        own
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), Some(value.to_owned()));
    }

    pub fn forget(&mut self, name: &str) {
        self.0.insert(name.to_owned(), None);
    }

    pub fn append(&mut self, name: &str, value: &str) {
        match self.0.entry(name.to_owned()).or_insert_with(|| Some(String::new())) {
            Some(old) if old.len() + value.len() < LONGEST => {
                if !old.is_empty() {
                    old.push(' ');
                }
                old.push_str(value);
            }
            other => *other = None,
        }
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Whether a variable has this very value.
    pub fn is(&self, name: &str, value: &str) -> bool {
        self.0.get(name).is_some_and(|it| it.as_deref() == Some(value))
    }

    /// The text with all references replaced.
    pub fn expand(&self, text: &str) -> Result<String, Unknown> {
        self.expand_within(text, 0)
    }

    fn expand_within(&self, text: &str, depth: usize) -> Result<String, Unknown> {
        if depth > DEEPEST {
            return Err(Unknown("a circle of variables".to_owned()));
        }
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            let Some(next) = rest.chars().next() else { break };
            match next {
                '$' => {
                    out.push('$');
                    rest = &rest[1..];
                }
                '(' | '{' => {
                    let end = closing(rest).ok_or_else(|| Unknown("a bracket without end".to_owned()))?;
                    out.push_str(&self.reference(&rest[1..end], depth)?);
                    rest = &rest[end + 1..];
                }
                c => {
                    out.push_str(&self.value(c.encode_utf8(&mut [0; 4]), depth)?);
                    rest = &rest[c.len_utf8()..];
                }
            }
            if out.len() > LONGEST {
                return Err(Unknown("a very long value".to_owned()));
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    fn value(&self, name: &str, depth: usize) -> Result<String, Unknown> {
        match self.0.get(name) {
            Some(Some(value)) => self.expand_within(value, depth + 1),
            _ => Err(Unknown(format!("`$({name})`"))),
        }
    }

    fn reference(&self, inner: &str, depth: usize) -> Result<String, Unknown> {
        if let Some((function, arguments)) = inner.split_once([' ', '\t'])
            && function.chars().all(|c| c.is_ascii_lowercase() || c == '-')
        {
            return self.function(function, arguments.trim_start(), depth + 1);
        }
        if let Some((name, rule)) = inner.split_once(':')
            && let Some((from, to)) = rule.split_once('=')
        {
            let value = self.value(&self.expand_within(name, depth + 1)?, depth)?;
            let percent = |it: &str| if it.contains('%') { it.to_owned() } else { format!("%{it}") };
            let both = from.contains('%');
            let (from, to) = (percent(from), if both { to.to_owned() } else { format!("%{to}") });
            return Ok(words(&value, |word| Some(patsubst(&from, &to, word))));
        }
        self.value(&self.expand_within(inner, depth + 1)?, depth)
    }

    fn function(&self, name: &str, text: &str, depth: usize) -> Result<String, Unknown> {
        if name == "foreach" {
            return self.foreach(text, depth);
        }
        let given: Vec<String> =
            split(text).into_iter().map(|it| self.expand_within(it, depth)).collect::<Result<_, _>>()?;
        let argument = |place: usize| given.get(place).map_or("", |it| it.trim());
        let is_any = |patterns: &str, word: &str| patterns.split_whitespace().any(|it| stem(it, word).is_some());
        Ok(match name {
            "addprefix" => words(argument(1), |word| Some(format!("{}{word}", argument(0)))),
            "addsuffix" => words(argument(1), |word| Some(format!("{word}{}", argument(0)))),
            "patsubst" => words(argument(2), |word| Some(patsubst(argument(0), argument(1), word))),
            "subst" => argument(2).replace(argument(0), argument(1)),
            "strip" => words(argument(0), |word| Some(word.to_owned())),
            "filter" => words(argument(1), |word| is_any(argument(0), word).then(|| word.to_owned())),
            "filter-out" => words(argument(1), |word| (!is_any(argument(0), word)).then(|| word.to_owned())),
            "firstword" => argument(0).split_whitespace().next().unwrap_or("").to_owned(),
            "lastword" => argument(0).split_whitespace().last().unwrap_or("").to_owned(),
            "notdir" => words(argument(0), |word| Some(word.rsplit('/').next().unwrap_or(word).to_owned())),
            "basename" => words(argument(0), |word| Some(word.rsplit_once('.').map_or(word, |it| it.0).to_owned())),
            "sort" => {
                let mut all: Vec<&str> = argument(0).split_whitespace().collect();
                all.sort_unstable();
                all.dedup();
                all.join(" ")
            }
            _ => return Err(Unknown(format!("`$({name})`"))),
        })
    }

    fn foreach(&self, text: &str, depth: usize) -> Result<String, Unknown> {
        let parts = split(text);
        let [name, list, body] = parts[..] else { return Err(Unknown("`$(foreach)`".to_owned())) };
        let mut inner = self.clone();
        let mut out = Vec::new();
        for word in self.expand_within(list, depth)?.split_whitespace() {
            inner.set(name.trim(), word);
            out.push(inner.expand_within(body, depth)?);
        }
        Ok(out.join(" "))
    }
}

/// The place of the bracket that closes the first one.
pub fn closing(text: &str) -> Option<usize> {
    let open = text.chars().next()?;
    let close = if open == '(' { ')' } else { '}' };
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        depth += i32::from(c == open) - i32::from(c == close);
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// The arguments of a function: commas within brackets are no ends.
pub fn split(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut depth = 0;
    let mut start = 0;
    for (at, c) in text.char_indices() {
        match c {
            '(' | '{' => depth += 1,
            ')' | '}' => depth -= 1,
            ',' if depth == 0 => {
                out.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    out.push(&text[start..]);
    out
}

fn words(text: &str, change: impl Fn(&str) -> Option<String>) -> String {
    text.split_whitespace().filter_map(change).collect::<Vec<_>>().join(" ")
}

/// What `%` stands for, where a pattern fits.
fn stem<'a>(pattern: &str, word: &'a str) -> Option<&'a str> {
    match pattern.split_once('%') {
        None => (pattern == word).then_some(""),
        Some((before, after)) => word.strip_prefix(before)?.strip_suffix(after),
    }
}

fn patsubst(from: &str, to: &str, word: &str) -> String {
    stem(from, word).map_or_else(|| word.to_owned(), |stem| to.replacen('%', stem, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_text() {
        let mut variables = Variables::of("/w");
        variables.set("APPS", "web users");
        variables.set("X", "a.c b.c");
        variables.append("APPS", "cart");
        let cases = [
            ("$(APPS)", "web users cart"),
            ("$(addprefix test-,$(APPS))", "test-web test-users test-cart"),
            ("$(X:.c=.o) ${X:%.c=o/%}", "a.o b.o o/a o/b"),
            ("$(foreach a,$(APPS),$(a)-up)", "web-up users-up cart-up"),
            ("$(filter-out w%,$(APPS))$$", "users cart$"),
            ("$(patsubst %.c,%,$(sort $(X) $(X)))", "a b"),
            ("$(CURDIR)/x", "/w/x"),
        ];
        for (text, wanted) in cases {
            assert_eq!(variables.expand(text).as_deref(), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn what_only_make_knows() {
        let mut variables = Variables::default();
        variables.set("A", "$(B)");
        variables.set("B", "$(A)");
        variables.set("S", "$(shell ls)");
        for (text, wanted) in [("$(A)", "a circle of variables"), ("$(S)", "`$(shell)`"), ("$(NO)x", "`$(NO)`")] {
            assert_eq!(variables.expand(text), Err(Unknown(wanted.to_owned())), "{text}");
        }
    }
}
