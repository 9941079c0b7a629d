//! What was meant by a text that is no dtab.

use super::cursor::Cursor;
use super::label::is_showable;
use super::syntax_error::Expected;

/// A guess, from what was expected at the cursor and what stands around it.
pub(super) fn find(cursor: &Cursor<'_>, expected: Expected) -> Option<String> {
    let (before, behind) = cursor.text().split_at(cursor.at());
    let next = behind.chars().next();
    let fixed = match (expected, next) {
        (_, Some('/')) if before.ends_with('/') => "there is nothing between these two slashes",
        (_, Some(',')) => "entries are separated by `;`, not by commas",
        (Expected::Equals, Some('-')) if behind.starts_with("->") => ARROW,
        (Expected::Equals, Some('>')) if before.ends_with('-') => ARROW,
        (Expected::Greater, _) if behind.trim_start().starts_with('>') => "no space inside `=>`",
        (Expected::Greater, _) | (Expected::Equals, None) => ARROW,
        (Expected::Slash, Some(';')) => "there is no entry before this `;`",
        (Expected::Slash, Some('*')) => "a prefix begins with a slash: `/*`",
        (Expected::Slash | Expected::Tree, Some(c)) if is_word(c) => return Some(missing_slash(behind)),
        (Expected::Tree, None | Some(';' | ')' | '|' | '&')) => "`~` stands for nothing, `!` for a failure",
        (Expected::Tree, Some(c)) if c.is_ascii_digit() => "a branch has one weight",
        (Expected::Tree | Expected::Star, _) if is_negative(behind) => "a weight is a number like `1` or `0.5`",
        (Expected::Star, _) => "a weight is followed by `*`: `0.5 * /a`",
        (Expected::EntryEnd, Some('/')) => "entries are separated by `;`, and one is missing here",
        (Expected::EntryEnd | Expected::End, Some('=')) => {
            "entries are separated by `;`: one is missing before the prefix"
        }
        (Expected::EntryEnd | Expected::End, Some(')')) => "nothing was opened that this could close",
        (Expected::Closing, None) => "a `(` before this is not closed",
        (Expected::EscapeX | Expected::HexDigit, _) => "a byte is written as `\\x` and two hex digits: `\\x2f`",
        (Expected::Digit, _) => "a weight is a number like `1` or `0.5`",
        (Expected::Weight, _) => "a weight is a finite number like `1` or `0.5`",
        _ => return star(before, next).or_else(|| trailing_slash(before, next)).or_else(|| escaped(before, next)),
    };
    Some(fixed.to_owned())
}

const ARROW: &str = "an entry is `/prefix => tree`";

fn is_word(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

fn is_negative(behind: &str) -> bool {
    behind.strip_prefix(['-', '+']).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

fn missing_slash(behind: &str) -> String {
    let is_path = |c: char| c == '/' || u8::try_from(c).is_ok_and(is_showable);
    let word: String = behind.chars().take_while(|&c| is_path(c)).collect();
    format!("names begin with a slash: `/{word}`")
}

/// A `*` that is no wildcard.
fn star(before: &str, next: Option<char>) -> Option<String> {
    let is_on_the_right = before.rfind(['=', ';']).is_some_and(|at| before[at..].starts_with("=>"));
    let hint = match next {
        Some('*') if is_on_the_right => "what a `*` matched cannot be used on the right; a star itself is `\\x2a`",
        Some('*') => "a `*` is a whole element of a prefix; a star itself is `\\x2a`",
        Some(_) if before.ends_with('*') => "a `*` is a whole element of a prefix",
        _ => return None,
    };
    Some(hint.to_owned())
}

fn trailing_slash(before: &str, next: Option<char>) -> Option<String> {
    let is_over = next.is_none_or(|c| c.is_whitespace() || "=;|&)".contains(c));
    (before.ends_with('/') && is_over).then(|| "a path does not end with a slash".to_owned())
}

/// A character that is none of a label's, where it would be one.
fn escaped(before: &str, next: Option<char>) -> Option<String> {
    let next = next.filter(|c| !c.is_whitespace() && !";|&()".contains(*c))?;
    let is_in_label = before.ends_with(|c: char| c == '/' || u8::try_from(c).is_ok_and(is_showable));
    let bytes: String = next.encode_utf8(&mut [0; 4]).bytes().map(|byte| format!("\\x{byte:02x}")).collect();
    is_in_label.then(|| format!("inside a label `{next}` is written `{bytes}`"))
}
