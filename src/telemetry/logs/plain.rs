//! What a program draws on its terminal, as the lines that are left of it: for a log that people read.

use vte::{Params, Parser, Perform};

/// Longer lines are cut.
const WIDEST: usize = 64 << 10;
const TAB: usize = 8;

/// Reads what is drawn, and gives lines.
pub struct Plain {
    parser: Parser,
    page: Page,
}

/// The line that is being drawn, and those that are complete.
#[derive(Default)]
struct Page {
    line: Vec<char>,
    column: usize,
    /// Something full of windows is shown in the place of lines.
    is_alternate: bool,
    lines: String,
}

impl Default for Plain {
    fn default() -> Self {
        Self { parser: Parser::new(), page: Page::default() }
    }
}

impl Plain {
    /// Takes in what was drawn, and gives the lines that are complete by now, each with its end.
    pub fn lines(&mut self, drawn: &[u8]) -> String {
        self.parser.advance(&mut self.page, drawn);
        std::mem::take(&mut self.page.lines)
    }

    /// Nothing more is drawn: gives the line that was begun.
    pub fn finish(&mut self) -> String {
        self.page.leave();
        std::mem::take(&mut self.page.lines)
    }
}

impl Page {
    /// The line is complete.
    fn end(&mut self) {
        let written = self.line.iter().rposition(|it| *it != ' ').map_or(0, |last| last + 1);
        self.lines.extend(&self.line[..written]);
        self.lines.push('\n');
        self.line.clear();
        self.column = 0;
    }

    /// Something is drawn elsewhere: what is there of the line is all of it.
    fn leave(&mut self) {
        if self.line.iter().any(|it| *it != ' ') {
            self.end();
        }
        self.line.clear();
        self.column = 0;
    }
}

impl Perform for Page {
    fn print(&mut self, it: char) {
        if self.is_alternate || self.column >= WIDEST {
            return;
        }
        if self.line.len() <= self.column {
            self.line.resize(self.column + 1, ' ');
        }
        self.line[self.column] = it;
        self.column += 1;
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            _ if self.is_alternate => {}
            b'\n' => self.end(),
            b'\r' => self.column = 0,
            b'\x08' => self.column = self.column.saturating_sub(1),
            b'\t' => self.column = (self.column / TAB + 1) * TAB,
            _ => {}
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], _ignored: bool, action: char) {
        let first = params.iter().next().and_then(|it| it.first().copied()).unwrap_or(0);
        let count = usize::from(first.max(1));
        match (intermediates, action) {
            // The screens of full programs: vim, less, top.
            (b"?", 'h' | 'l') if params.iter().any(|it| matches!(it, [47 | 1047 | 1049])) => {
                self.leave();
                self.is_alternate = action == 'h';
            }
            ([], 'C') => self.column = (self.column + count).min(WIDEST),
            ([], 'D') => self.column = self.column.saturating_sub(count),
            ([], 'G') => self.column = (count - 1).min(WIDEST),
            // From here to the end of the line, and of the screen.
            ([], 'K' | 'J') if first == 0 => self.line.truncate(self.column),
            ([], 'K') if first == 2 => self.line.clear(),
            ([], 'A' | 'B' | 'E' | 'F' | 'H' | 'J' | 'd' | 'f') => self.leave(),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_becomes_the_lines_that_people_saw() {
        let cases = [
            ("hello\r\nthere\r\n", "hello\nthere\n"),
            ("\u{1b}[31mred\u{1b}[0m ä€\n", "red ä€\n"),
            ("10%\r50%\r100%\r\n", "100%\n"),
            ("long line\rshort\u{1b}[K\n", "short\n"),
            ("prompt> lx\u{8}\u{8}\u{1b}[Ks\r\n", "prompt> s\n"),
            ("a\tb\n", "a       b\n"),
            ("abc\u{1b}[2Dx\u{1b}[Cy\n", "axcy\n"),
            ("\u{1b}]0;title\u{7}shown\n", "shown\n"),
            ("before\u{1b}[?1049hwindows\u{1b}[5;5Hfull\nof them\u{1b}[?1049lafter\n", "before\nafter\n"),
            ("here\u{1b}[10;1Hthere\n", "here\nthere\n"),
            ("\n", "\n"),
        ];
        for (drawn, expected) in cases {
            assert_eq!(Plain::default().lines(drawn.as_bytes()), expected, "{drawn:?}");
            // In whatever pieces it comes.
            let mut plain = Plain::default();
            let pieces: String = drawn.bytes().map(|byte| plain.lines(&[byte])).collect();
            assert_eq!(pieces, expected, "{drawn:?}");
        }
    }

    #[test]
    fn a_line_without_an_end_is_there_at_the_end() {
        let mut plain = Plain::default();
        assert_eq!(plain.lines(b"Password: "), "");
        assert_eq!((plain.finish(), plain.finish()), ("Password:\n".to_owned(), String::new()));
    }

    #[test]
    fn no_line_grows_without_bounds() {
        let mut plain = Plain::default();
        assert_eq!(plain.lines(&vec![b'x'; 1 << 20]), "");
        assert_eq!(plain.lines(b"\x1b[60000C\x1b[60000Cy\n").len(), WIDEST + 1);
    }
}
