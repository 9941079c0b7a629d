//! Colours for terminals that have sixteen. Crossterm asks for each by its number among 256, which is noise to them.
//!
//! ECMA-48, 8.3.117 (SGR), and what xterm made of it: 30 to 37 and 90 to 97 are the sixteen, `38;5;N` is one of 256.

use std::io::{self, Write};

/// Words in the names of terminals that have 256 colours or all.
const RICH: [&str; 11] =
    ["256", "direct", "truecolor", "kitty", "alacritty", "ghostty", "foot", "wezterm", "contour", "rio", "iterm"];

/// Whether a terminal has more than sixteen colours, by `TERM` and `COLORTERM`.
pub fn is_rich(term: &str, colorterm: &str) -> bool {
    let term = term.to_lowercase();
    !colorterm.is_empty() || RICH.iter().any(|word| term.contains(word))
}

/// Where a frame is written: as it is, or with no colours but the sixteen.
#[derive(Debug)]
pub struct Palette<W> {
    out: W,
    is_rich: bool,
    /// What is written since it was flushed: a colour may come in pieces, and a frame is to be seen whole.
    held: Vec<u8>,
}

impl<W: Write> Palette<W> {
    /// For a terminal that has more colours, or not.
    pub fn new(out: W, is_rich: bool) -> Self {
        Self { out, is_rich, held: Vec::new() }
    }
}

impl<W: Write> Write for Palette<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        self.out.write_all(&if self.is_rich { held } else { of_sixteen(&held) })?;
        self.out.flush()
    }
}

/// A frame with its colours as some of the sixteen.
fn of_sixteen(frame: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(frame.len());
    let mut rest = frame;
    while let Some(at) = memchr::memmem::find(rest, b"\x1b[") {
        let (before, sequence) = rest.split_at(at);
        out.extend_from_slice(before);
        let codes = sequence[2..].iter().take_while(|byte| byte.is_ascii_digit() || **byte == b';').count();
        let (lead, behind) = sequence.split_at(2 + codes);
        match (behind.first(), std::str::from_utf8(&lead[2..])) {
            (Some(b'm'), Ok(codes)) => out.extend_from_slice(format!("\x1b[{}", plain(codes)).as_bytes()),
            _ => out.extend_from_slice(lead),
        }
        rest = behind;
    }
    out.extend_from_slice(rest);
    out
}

/// The numbers of a style, with colours of the sixteen.
fn plain(codes: &str) -> String {
    let mut numbers = codes.split(';').map(|it| it.parse::<u16>().unwrap_or(0));
    let mut said = Vec::new();
    // Where letters are grey, and how light.
    let mut grey = None;
    while let Some(number) = numbers.next() {
        let mut next = || numbers.next().unwrap_or(0).min(255);
        said.push(match number {
            38 | 48 => {
                let color = match next() {
                    5 => of_256(next()),
                    _ => nearest([next(), next(), next()]),
                };
                let base = number - 8;
                match color {
                    Seen::As(color @ 0..=7) => base + color,
                    Seen::As(color) => base + 60 + (color - 8),
                    // The terminal's own.
                    Seen::Grey(level) => {
                        grey = (number == 38).then_some((said.len(), level)).or(grey);
                        base + 9
                    }
                }
            }
            number => number,
        });
    }
    // The terminal's own letters are for its own background: on yellow, white ones are not to be read.
    if let Some((at, level)) = grey
        && said.iter().any(|number| matches!(number, 40..=47 | 100..=107))
    {
        said[at] = if level < LIGHT { 30 } else { 37 };
    }
    said.iter().map(u16::to_string).collect::<Vec<_>>().join(";")
}

/// From here on a grey is white rather than black.
const LIGHT: u16 = 128;

/// What a colour is seen as.
enum Seen {
    /// One of the sixteen.
    As(u16),
    /// A grey of this level, to 255. It is none of them: on some terminal that is the background's.
    Grey(u16),
}

/// One of 256: the sixteen, a cube of six levels each, and greys.
fn of_256(number: u16) -> Seen {
    let level = |step: u16| if step == 0 { 0 } else { 55 + 40 * step };
    match number.checked_sub(16) {
        None => Seen::As(number),
        Some(cube @ 0..=215) => nearest([level(cube / 36), level(cube / 6 % 6), level(cube % 6)]),
        Some(step) => Seen::Grey(8 + 10 * (step - 216)),
    }
}

/// What a colour of these channels, to 255 each, is seen as.
fn nearest([red, green, blue]: [u16; 3]) -> Seen {
    /// Channels that are no further apart are seen as grey.
    const GREY: u16 = 32;
    /// From here on it is a bright one.
    const BRIGHT: u16 = 224;
    let (most, least) = (red.max(green).max(blue), red.min(green).min(blue));
    if most - least <= GREY {
        return Seen::Grey(most);
    }
    let is_in = |channel: u16| u16::from(channel - least > (most - least) / 2);
    let hue = is_in(red) + 2 * is_in(green) + 4 * is_in(blue);
    Seen::As(if most >= BRIGHT { hue + 8 } else { hue })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_say_by_their_names_what_they_have() {
        for term in ["xterm-256color", "tmux-256color", "xterm-kitty", "alacritty", "foot", "xterm-direct"] {
            assert!(is_rich(term, ""), "{term}");
        }
        for term in ["xterm", "linux", "screen", "vt220", "rxvt", "", "dumb"] {
            assert!(!is_rich(term, ""), "{term}");
        }
        assert!(is_rich("xterm", "truecolor"));
    }

    fn written(is_rich: bool, pieces: &[&str]) -> String {
        let mut out = Vec::new();
        let mut palette = Palette::new(&mut out, is_rich);
        pieces.iter().for_each(|piece| palette.write_all(piece.as_bytes()).unwrap());
        palette.flush().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_colour_is_one_of_sixteen() {
        for (asked, said) in [
            ("38;5;1", "31"),
            ("38;5;9;49", "91;49"),
            ("48;5;3", "43"),
            ("48;5;12", "104"),
            ("38;5;208", "93"),
            ("38;5;22", "32"),
            ("38;5;16;48;5;226", "30;103"),
            ("48;2;250;0;10;38;5;250", "101;37"),
            ("38;5;240;48;5;3", "30;43"),
            ("38;5;16;48;5;231", "39;49"),
            ("38;5;255;49", "39;49"),
            ("38;5;240", "39"),
            ("48;2;250;0;10", "101"),
            ("38;2;1;2;3", "39"),
            ("1;38;5;6;4", "1;36;4"),
            ("0", "0"),
            ("39;49", "39;49"),
        ] {
            assert_eq!(written(false, &[&format!("a\x1b[{asked}mb")]), format!("a\x1b[{said}mb"));
            assert_eq!(written(true, &[&format!("a\x1b[{asked}mb")]), format!("a\x1b[{asked}mb"));
        }
    }

    /// The pieces in which a terminal is written to.
    #[derive(Default)]
    struct Pieces(Vec<Vec<u8>>);

    impl Write for Pieces {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.push(bytes.to_owned());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_frame_is_written_at_once() {
        for is_rich in [true, false] {
            let mut palette = Palette::new(Pieces::default(), is_rich);
            palette.write_all(b"first ").unwrap();
            palette.write_all(b"last").unwrap();
            palette.flush().unwrap();
            assert_eq!(palette.out.0, [b"first last"]);
        }
    }

    #[test]
    fn all_else_stays_and_pieces_come_together() {
        let frame = ["\x1b[2;3H長\x1b[", "38;5", ";2mgreen\x1b[?25l", "\x1b]52;c;38;5;1m\x07\x1b["];
        assert_eq!(written(false, &frame), "\x1b[2;3H長\x1b[32mgreen\x1b[?25l\x1b]52;c;38;5;1m\x07\x1b[");
    }
}
