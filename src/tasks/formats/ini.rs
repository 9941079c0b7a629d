//! INI as Python's configparser reads it: sections, `key = value` or `key: value`, values that go on indented.

use crate::tasks::{Position, Unreadable};

/// A `[section]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    pub name: String,
    pub line: usize,
    pub values: Vec<Entry>,
}

/// A key with its value; the lines of a longer one are joined by line feeds, without comments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub key: String,
    pub value: String,
    pub line: usize,
}

impl Section {
    /// The value of a key, with `-` and `_` taken as the same.
    pub fn get(&self, key: &str) -> Option<&str> {
        let same = |it: &str| it.replace('-', "_") == key;
        self.values.iter().find(|entry| same(&entry.key)).map(|entry| &*entry.value)
    }
}

/// Reads a file.
pub fn parse(text: &str) -> Result<Vec<Section>, Unreadable> {
    let mut sections: Vec<Section> = Vec::new();
    for (at, raw) in text.lines().enumerate() {
        let line = at + 1;
        let content = raw.trim();
        if content.is_empty() || content.starts_with(['#', ';']) {
            continue;
        }
        let wrong = |reason: &str| {
            let column = raw.len() - raw.trim_start().len() + 1;
            Err(Unreadable::at(format!("not valid INI: {reason}"), Position { line, column }))
        };
        if raw.starts_with([' ', '\t']) {
            match sections.last_mut().and_then(|section| section.values.last_mut()) {
                Some(entry) => {
                    entry.value.push('\n');
                    entry.value.push_str(content);
                }
                None => return wrong("an indented line goes on with a value, and there is none before it"),
            }
            continue;
        }
        if let Some(rest) = content.strip_prefix('[') {
            let Some((name, _)) = rest.split_once(']') else { return wrong("the section's name has no `]`") };
            sections.push(Section { name: name.trim().to_owned(), line, values: Vec::new() });
            continue;
        }
        let Some(section) = sections.last_mut() else { return wrong("a value stands before the first section") };
        let (key, value) = match content.find(['=', ':']) {
            Some(end) => (&content[..end], content[end + 1..].trim()),
            None => (content, ""),
        };
        section.values.push(Entry { key: key.trim().to_owned(), value: value.to_owned(), line });
    }
    Ok(sections)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_over_several_lines() {
        let sections =
            parse("; c\n[tox]\nenv_list =\n    a\n    # no\n    b\n[testenv:x]\nset-env = A=1\ndescription: d\n")
                .unwrap();
        assert_eq!(sections[0].get("env_list"), Some("\na\nb"));
        assert_eq!((&*sections[1].name, sections[1].line), ("testenv:x", 7));
        assert_eq!((sections[1].get("set_env"), sections[1].get("description")), (Some("A=1"), Some("d")));
    }

    #[test]
    fn what_is_wrong_has_a_place() {
        let place = |text| parse(text).unwrap_err().at.map(|at| (at.line, at.column));
        assert_eq!(place("a = 1\n"), Some((1, 1)));
        assert_eq!(place("[a\n"), Some((1, 1)));
        assert_eq!(place("[a]\n  b\n"), Some((2, 3)));
    }
}
