//! The colours that a service writes: kept as styles of parts of the text, while all else that a terminal would obey goes.
//!
//! ECMA-48, 8.3.117 (SGR), with the colours of xterm: `38;5;N` and `38;2;R;G;B`, with colons too.

use std::ops::Range;

use ratatui::style::{Color, Modifier, Style};

use super::text::clean_after;

/// A line fit for the screen, and where it is painted otherwise than the rest: bytes of it, in order.
pub fn painted(text: &str) -> (String, Vec<(Range<usize>, Style)>) {
    let mut out = String::with_capacity(text.len());
    if !text.contains('\x1b') {
        clean_after(&mut out, text);
        return (out, Vec::new());
    }
    let (mut parts, mut style) = (Vec::new(), Style::new());
    let mut rest = text;
    while !rest.is_empty() {
        let (plain, codes, after) = next(rest);
        let from = out.len();
        clean_after(&mut out, plain);
        if style != Style::new() && out.len() > from {
            parts.push((from..out.len(), style));
        }
        style = codes.map_or(style, |codes| obeyed(style, codes));
        rest = after;
    }
    (out, parts)
}

/// What is before the next colour, that one's numbers, and what is behind it.
fn next(text: &str) -> (&str, Option<&str>, &str) {
    let mut from = 0;
    while let Some(at) = text[from..].find('\x1b').map(|at| from + at) {
        let rest = &text[at + 1..];
        if let Some(rest) = rest.strip_prefix('[') {
            let codes =
                rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';' || c == ':').len();
            if rest[codes..].starts_with('m') {
                return (&text[..at], Some(&rest[..codes]), &rest[codes + 1..]);
            }
        }
        // What is in a string of control, as a title, is no colour.
        let is_string = rest.starts_with([']', 'P', 'X', '^', '_']);
        let end = rest.find(['\x07', '\x1b']).filter(|_| is_string);
        from = end.map_or(at + 1, |end| at + 1 + end + usize::from(rest[end..].starts_with('\x07')));
        if is_string && end.is_none() {
            break;
        }
    }
    (text, None, "")
}

/// A style after what was asked for.
fn obeyed(mut style: Style, codes: &str) -> Style {
    let mut codes = codes.split(';');
    while let Some(code) = codes.next() {
        // `38:5:N` is one code, `38;5;N` are three.
        let mut numbers = code.split(':').map(|it| it.parse::<u16>().unwrap_or(0));
        let code = numbers.next().unwrap_or(0);
        style = match code {
            0 => Style::new(),
            1 => style.add_modifier(Modifier::BOLD),
            2 => style.add_modifier(Modifier::DIM),
            3 => style.add_modifier(Modifier::ITALIC),
            4 => style.add_modifier(Modifier::UNDERLINED),
            7 => style.add_modifier(Modifier::REVERSED),
            9 => style.add_modifier(Modifier::CROSSED_OUT),
            22 => without(style, Modifier::BOLD | Modifier::DIM),
            23 => without(style, Modifier::ITALIC),
            24 => without(style, Modifier::UNDERLINED),
            27 => without(style, Modifier::REVERSED),
            29 => without(style, Modifier::CROSSED_OUT),
            30..=37 | 90..=97 => style.fg(named(code % 10 + if code >= 90 { 8 } else { 0 })),
            40..=47 | 100..=107 => style.bg(named(code % 10 + if code >= 100 { 8 } else { 0 })),
            38 | 48 => {
                let apart: Vec<u16> = numbers.collect();
                let color = match apart.is_empty() {
                    true => extended(&mut codes.by_ref().map(|it| it.parse().unwrap_or(0))),
                    // A colour space may stand before the three: `38:2::R:G:B`.
                    false if apart[0] == 2 && apart.len() > 4 => {
                        extended(&mut [&[2], &apart[2..]].concat().into_iter())
                    }
                    false => extended(&mut apart.into_iter()),
                };
                match (code, color) {
                    (38, Some(color)) => style.fg(color),
                    (_, Some(color)) => style.bg(color),
                    (_, None) => style,
                }
            }
            39 => Style { fg: None, ..style },
            49 => Style { bg: None, ..style },
            _ => style,
        };
    }
    style
}

fn without(mut style: Style, modifier: Modifier) -> Style {
    style.add_modifier.remove(modifier);
    style
}

/// One of the sixteen, which a terminal paints as its user likes.
fn named(number: u16) -> Color {
    Color::Indexed(u8::try_from(number).unwrap_or(7))
}

/// `5;N` or `2;R;G;B`.
fn extended(numbers: &mut dyn Iterator<Item = u16>) -> Option<Color> {
    let kind = numbers.next()?;
    let mut byte = || numbers.next().and_then(|it| u8::try_from(it).ok());
    match kind {
        5 => byte().map(Color::Indexed),
        2 => Some(Color::Rgb(byte()?, byte()?, byte()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_kept_and_all_else_goes() {
        let (text, parts) = painted("a\x1b[31mred\x1b[0m\x1b[2K\tb\x1b]0;title\x07\x1b[1;4mc\x1b[22md");
        assert_eq!(text, "ared    bcd");
        let red = Style::new().fg(Color::Indexed(1));
        let line = Style::new().add_modifier(Modifier::UNDERLINED);
        assert_eq!(parts, [(1..4, red), (9..10, line.add_modifier(Modifier::BOLD)), (10..11, line)]);
    }

    #[test]
    fn colours_of_all_kinds_are_read() {
        let color = |codes: &str| {
            let (_, parts) = painted(&format!("\x1b[{codes}mx"));
            parts.first().map(|(_, style)| (style.fg, style.bg)).unwrap_or_default()
        };
        let rgb = Some(Color::Rgb(1, 2, 3));
        assert_eq!(color("38;5;200"), (Some(Color::Indexed(200)), None));
        assert_eq!(color("38:5:200;44"), (Some(Color::Indexed(200)), Some(Color::Indexed(4))));
        assert_eq!(color("38;2;1;2;3;1"), (rgb, None));
        assert_eq!(
            (color("38:2:1:2:3"), color("38:2::1:2:3"), color("48;2;1;2;3")),
            ((rgb, None), (rgb, None), (None, rgb))
        );
        assert_eq!(color("97;101"), (Some(Color::Indexed(15)), Some(Color::Indexed(9))));
        for nothing in ["", "0", "38", "38;5", "38;5;300", "38;2;1;2", "31;39", "99999999999999999999", "31;0", ";;;"] {
            assert_eq!(color(nothing), (None, None), "{nothing}");
        }
    }

    #[test]
    fn whatever_is_written_can_be_read() {
        let mut random = fastrand::Rng::with_seed(10);
        let pieces =
            ["\x1b", "[", "]", "m", "3", "8", ";", ":", "5", "\x07", "\\", "P", "長", "\t", "é", "\u{9b}", "x"];
        for _ in 0..20_000 {
            let text: String = (0..random.usize(..16)).map(|_| pieces[random.usize(..pieces.len())]).collect();
            let (plain, parts) = painted(&text);
            assert!(!plain.chars().any(char::is_control), "{text:?}");
            for (range, _) in parts {
                assert!(plain.get(range).is_some_and(|part| !part.is_empty()), "{text:?}");
            }
        }
    }
}
