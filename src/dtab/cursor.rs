//! A text under reading: where the reader is, and what stands there.

/// A place in a text, never inside a character.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn text(&self) -> &'t str {
        self.text
    }

    /// The offset in bytes.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// What was read since an offset.
    pub(super) fn since(&self, start: usize) -> &'t str {
        &self.text[start..self.at]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    /// Reads a character that is accepted.
    pub(super) fn eat_if(&mut self, accepted: impl Fn(char) -> bool) -> Option<char> {
        let next = self.peek().filter(|&next| accepted(next))?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// Reads this character, if it is the next.
    pub(super) fn eat(&mut self, wanted: char) -> bool {
        self.eat_if(|next| next == wanted).is_some()
    }

    /// Reads white space and comments. A comment begins only where white space may stand: behind a label's character a
    /// `#` belongs to the label.
    pub(super) fn blank(&mut self) {
        while let Some(next) = self.eat_if(|next| is_space(next) || next == '#') {
            if next == '#' {
                while self.eat_if(|next| next != '\n').is_some() {}
            }
        }
    }
}

/// White space as Java has it, so far as it is ASCII.
fn is_space(c: char) -> bool {
    matches!(c, '\t'..='\r' | '\x1c'..='\x1f' | ' ')
}
