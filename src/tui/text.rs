//! Text from services, made fit for a screen: no colours of its own, no control characters, tabs as spaces.

use ratatui::text::Line;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// One line without anything that could move the cursor.
pub fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    clean_after(&mut out, text);
    out
}

/// The same behind what is there already, up to the stops of tabs.
pub fn clean_after(out: &mut String, text: &str) {
    let plain = anstream::adapter::strip_str(text).to_string();
    for c in plain.chars() {
        match c {
            '\t' => {
                out.extend(std::iter::repeat_n(' ', 8 - out.width() % 8));
            }
            c if c.is_control() => out.push('·'),
            c => out.push(c),
        }
    }
}

/// What people see as characters, however many they are made of, and how wide each is.
fn seen(text: &str) -> impl Iterator<Item = (&str, usize)> {
    text.graphemes(true).map(|character| (character, character.width()))
}

/// The beginning of a text that fits a width, with an ellipsis where it was cut.
pub fn fit(text: &str, width: usize) -> String {
    if seen(text).map(|(_, wide)| wide).sum::<usize>() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 1;
    for (character, wide) in seen(text) {
        used += wide;
        if used > width {
            break;
        }
        out.push_str(character);
    }
    if width > 0 {
        out.push('…');
    }
    out
}

/// The end of a text that fits a width, with an ellipsis where it was cut.
pub fn fit_end(text: &str, width: usize) -> String {
    if seen(text).map(|(_, wide)| wide).sum::<usize>() <= width {
        return text.to_owned();
    }
    let mut used = usize::from(width > 0);
    let mut kept = text.len();
    for (at, character) in text.grapheme_indices(true).rev() {
        used += character.width();
        if used > width {
            break;
        }
        kept = at;
    }
    format!("{}{}", if width > 0 { "…" } else { "" }, &text[kept..])
}

/// The beginning of a line that fits a width, with an ellipsis where it was cut.
pub fn fit_line(mut line: Line<'static>, width: usize) -> Line<'static> {
    if line.width() <= width {
        return line;
    }
    let mut room = width.saturating_sub(1);
    for (at, span) in line.spans.iter_mut().enumerate() {
        let used = span.content.width();
        if used > room {
            let kept = if room == 0 { String::new() } else { wrap(&span.content, room).swap_remove(0) };
            span.content = if width == 0 { kept.into() } else { format!("{kept}…").into() };
            line.spans.truncate(at + 1);
            break;
        }
        room -= used;
    }
    line
}

/// A text in a cell of a width, at its left or right side.
pub fn cell(text: &str, width: usize, is_right: bool) -> String {
    let text = fit(text, width);
    let blank = " ".repeat(width.saturating_sub(text.width()));
    if is_right { blank + &text } else { text + &blank }
}

/// A text in rows of a width.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut rows = vec![String::new()];
    let mut used = 0;
    for (character, wide) in seen(text) {
        if used + wide > width.max(1) {
            rows.push(String::new());
            used = 0;
        }
        used += wide;
        if let Some(row) = rows.last_mut() {
            row.push_str(character);
        }
    }
    rows
}

/// A text in rows of a width, with a new row before a word where it would not fit, and within one that no row has room for.
pub fn wrap_words(text: &str, width: usize) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let row = match rows.pop() {
            Some(row) if row.width() + 1 + word.width() > width && word.width() <= width => {
                rows.push(row);
                word.to_owned()
            }
            Some(row) => format!("{row} {word}"),
            None => word.to_owned(),
        };
        rows.extend(wrap(&row, width));
    }
    rows
}

#[cfg(test)]
mod tests {
    use ratatui::text::Span;

    use super::*;

    #[test]
    fn control_characters_cannot_reach_the_screen() {
        assert_eq!(clean("a\x1b[31mred\x1b[0m\tb\u{85}\x1b]0;title\x07"), "ared    b·");
        assert_eq!(clean("\tx"), "        x");
    }

    #[test]
    fn texts_are_cut_and_wrapped_by_width() {
        assert_eq!(fit("長屋の人", 5), "長屋…");
        assert_eq!(fit("abc", 3), "abc");
        // What is seen as one is not cut within.
        assert_eq!(fit("👩\u{200d}👩\u{200d}👧🇩🇪", 4), "👩\u{200d}👩\u{200d}👧🇩🇪");
        assert_eq!(wrap("a👩\u{200d}💻🇩🇪", 3), ["a👩\u{200d}💻", "🇩🇪"]);
        assert_eq!(fit("abcd", 3), "ab…");
        assert_eq!(fit("abcd", 0), "");
        let ends = [5, 4, 3, 1, 0].map(|width| fit_end("ab長屋", width));
        assert_eq!(ends, ["…長屋", "…屋", "…屋", "…", ""].map(str::to_owned));
        assert_eq!(fit_end("ab長屋", 6), "ab長屋");
        assert_eq!(wrap("長屋abc", 4), ["長屋", "abc"]);
        assert_eq!(wrap_words("db is at db:54321", 10), ["db is at", "db:54321"]);
        assert_eq!(wrap_words("a longer-than-this b", 6), ["a long", "er-tha", "n-this", "b"]);
        assert_eq!(wrap_words("", 6), [""]);
        assert_eq!(wrap_words("長屋 の 人", 4), ["長屋", "の", "人"]);
        let line =
            |room| fit_line(Line::from(vec![Span::raw("ab"), Span::raw("cd"), Span::raw("e")]), room).to_string();
        assert_eq!([line(5), line(4), line(1), line(0)], ["abcde", "abc…", "…", ""]);
        assert_eq!((cell("長屋", 6, true), cell("長屋", 5, false)), ("  長屋".to_owned(), "長屋 ".to_owned()));
    }
}
