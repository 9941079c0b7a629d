//! Commands as people write them: which tasks a script calls, and the head of a script file.

/// Commands of a shell line, each as its words, without its variables (`A=1 npm run x`).
pub fn commands(text: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some('"') | None, '\\') => word.get_or_insert_default().extend(chars.next()),
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ';' | '&' | '|' | '\n' | '(' | ')') => {
                finish(&mut commands, &mut word);
                if commands.last().is_some_and(|last| !last.is_empty()) {
                    commands.push(Vec::new());
                }
            }
            (None, c) if c.is_whitespace() => finish(&mut commands, &mut word),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    finish(&mut commands, &mut word);
    commands.retain(|words| !words.is_empty());
    commands
}

fn finish(commands: &mut [Vec<String>], word: &mut Option<String>) {
    let (Some(last), Some(word)) = (commands.last_mut(), word.take()) else { return };
    let is_variable = last.is_empty()
        && word
            .split_once('=')
            .is_some_and(|(name, _)| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
    if !is_variable {
        last.push(word);
    }
}

/// Whether a script says how it is executed.
pub fn has_shebang(text: &str) -> bool {
    text.starts_with("#!")
}

/// The first comment of a script, after its `#!` line and what is for machines alone. None where code comes first.
pub fn first_comment(text: &str) -> Option<String> {
    let mut out: Vec<&str> = Vec::new();
    for line in text.lines().skip(usize::from(has_shebang(text))) {
        let line = line.trim();
        let comment = line.strip_prefix('#').or_else(|| line.strip_prefix("//")).or_else(|| line.strip_prefix("--"));
        let comment = comment.map(|it| it.trim_start_matches(['#', '/']).trim());
        match comment {
            Some(it) if is_for_machines(it) => {}
            Some(it) if it.is_empty() || it.chars().all(|c| "-=*_#~".contains(c)) => {
                if !out.is_empty() {
                    break;
                }
            }
            Some(it) => out.push(it),
            None if line.is_empty() && out.is_empty() => {}
            None => break,
        }
    }
    (!out.is_empty()).then(|| out.join(" "))
}

fn is_for_machines(comment: &str) -> bool {
    let starts =
        ["shellcheck ", "-*-", "vim:", "vi:", "SPDX-", "Copyright", "(c) ", "frozen_string_literal", "eslint", "@ts-"];
    starts.iter().any(|it| comment.starts_with(it)) || comment.starts_with("coding") || comment.contains("-*-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_commands() {
        let cases: [(&str, &[&[&str]]); 5] = [
            ("npm run a && yarn b", &[&["npm", "run", "a"], &["yarn", "b"]]),
            ("CI=1 pnpm run 'a b'; x", &[&["pnpm", "run", "a b"], &["x"]]),
            ("a \"b \\\" c\" d\\ e", &[&["a", "b \" c", "d e"]]),
            ("(cd x && make) | tee", &[&["cd", "x"], &["make"], &["tee"]]),
            ("  ", &[]),
        ];
        for (text, wanted) in cases {
            assert_eq!(commands(text), wanted, "{text}");
        }
    }

    #[test]
    fn the_head_of_a_script() {
        let text = "#!/bin/sh\n# shellcheck disable=SC1\n#\n# Builds\n# all.\n\n# not this\nset -e\n";
        assert_eq!(first_comment(text).as_deref(), Some("Builds all."));
        assert_eq!(first_comment("#!/bin/sh\nset -e\n# later\n"), None);
    }
}
