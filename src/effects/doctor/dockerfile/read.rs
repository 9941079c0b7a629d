//! The instructions of a Dockerfile, as Docker's reference tells how they are written.

/// An instruction, with its continued lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// From 1.
    pub line: usize,
    /// In capitals.
    pub word: String,
    /// What stands behind it; a document (`<<END`) is part of it.
    pub text: String,
}

impl Instruction {
    /// Its words; those of `["a", "b"]` too.
    pub fn words(&self) -> Vec<String> {
        let text = self.text.trim();
        match serde_json::from_str::<Vec<String>>(text) {
            Ok(words) if text.starts_with('[') => words,
            _ => text.split_whitespace().map(str::to_owned).collect(),
        }
    }
}

/// All of them.
pub fn instructions(text: &str) -> Vec<Instruction> {
    let escape = text.lines().map_while(|line| line.strip_prefix('#')).find_map(|line| {
        let (key, value) = line.split_once('=')?;
        key.trim().eq_ignore_ascii_case("escape").then(|| value.trim().to_owned())
    });
    let escape = escape.unwrap_or_else(|| "\\".to_owned());
    let mut out = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let mut whole = line.trim().to_owned();
        if whole.is_empty() || whole.starts_with('#') {
            continue;
        }
        while let Some(begin) = whole.strip_suffix(&escape) {
            whole = begin.to_owned();
            // Comments and empty lines between do not end it.
            let next =
                lines.by_ref().map(|(_, line)| line.trim()).find(|line| !line.is_empty() && !line.starts_with('#'));
            let Some(next) = next else { break };
            whole.push(' ');
            whole.push_str(next);
        }
        let (word, rest) = whole.split_once(char::is_whitespace).unwrap_or((&whole, ""));
        let (word, mut text) = (word.to_ascii_uppercase(), rest.trim().to_owned());
        if matches!(word.as_str(), "RUN" | "COPY" | "ADD") {
            for end in documents(&text) {
                for (_, line) in lines.by_ref() {
                    if line.trim_start_matches('\t') == end {
                        break;
                    }
                    text.push('\n');
                    text.push_str(line);
                }
            }
        }
        out.push(Instruction { line: number + 1, word, text });
    }
    out
}

/// The last lines of the documents that an instruction begins.
fn documents(text: &str) -> Vec<String> {
    let begins = |word: &str| {
        let name = word.strip_prefix("<<")?;
        let name = name.trim_start_matches('-').trim_matches(['"', '\'']);
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        is_name.then(|| name.to_owned())
    };
    text.split_whitespace().filter_map(begins).collect()
}

/// The simple commands of a line for the shell (POSIX, section 2.9.1), without their assignments and redirections; a
/// line that the shell would read in another way has none.
pub fn simple_commands(text: &str) -> Vec<Vec<String>> {
    if let Ok(words) = serde_json::from_str::<Vec<String>>(text.trim()) {
        return vec![words];
    }
    let without_options = text.split_whitespace().find(|word| !word.starts_with("--"));
    let start = without_options.and_then(|word| text.find(word)).unwrap_or(0);
    let mut out = Vec::new();
    for line in text[start..].split(['\n', ';', '|']).flat_map(|part| part.split("&&")) {
        let Some(words) = shlex::split(line.trim()) else { continue };
        let is_before = |word: &String| {
            word.contains('=') && !word.starts_with('-')
                || matches!(word.as_str(), "sudo" | "then" | "do" | "exec" | "set" | "(" | "{")
        };
        let words: Vec<String> =
            words.into_iter().skip_while(is_before).filter(|word| !word.starts_with(['>', '<', '&'])).collect();
        if !words.is_empty() {
            out.push(words);
        }
    }
    out
}
