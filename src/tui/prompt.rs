//! A line that is typed at the foot of the screen.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What paths begin with mostly.
const PREFIX: &str = "/svc/";

/// What it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// A part of the name of a service.
    Service,
    /// A search through lines.
    Search,
    /// Only what matches is shown: lines, requests, tasks.
    Filter,
    /// A path whose way is explained.
    Path,
    /// The share of a version, in percent.
    Share,
    /// A line for a service that reads lines.
    Input,
    /// A command of nagaya; one of its suggestions is selected.
    Command(usize),
}

/// What is typed so far; the cursor is at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    pub what: For,
    pub text: String,
}

/// What a key did to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    /// It goes on.
    More,
    Given,
    GivenUp,
}

impl Prompt {
    /// An empty one.
    pub fn new(what: For) -> Self {
        let text = if what == For::Path { PREFIX.to_owned() } else { String::new() };
        Self { what, text }
    }

    /// The sign in front of it.
    pub fn sign(&self) -> &'static str {
        match self.what {
            For::Service | For::Search => "/",
            For::Filter => "only: ",
            For::Path => "path: ",
            For::Share => "percent: ",
            For::Input => "> ",
            For::Command(_) => ":",
        }
    }

    /// Takes what was pasted as one line: an end of a line in it is no Enter.
    pub fn paste(&mut self, text: &str) {
        let line = text.trim_end_matches(['\r', '\n']).replace("\r\n", " ");
        for c in line.chars().map(|c| if c.is_control() { ' ' } else { c }) {
            self.key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE));
        }
    }

    /// Takes a key.
    pub fn key(&mut self, key: KeyEvent) -> Typed {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Esc => return Typed::GivenUp,
            KeyCode::Char('c') if control => return Typed::GivenUp,
            KeyCode::Enter => return Typed::Given,
            KeyCode::Char('u') if control => self.text.clear(),
            KeyCode::Char('w') if control => {
                let kept = self.text.trim_end().rfind(' ').map_or(0, |at| at + 1);
                self.text.truncate(kept);
            }
            KeyCode::Backspace if self.text.is_empty() => return Typed::GivenUp,
            KeyCode::Backspace => drop(self.text.pop()),
            // A path that is typed or pasted whole.
            KeyCode::Char('/') if self.what == For::Path && self.text == PREFIX => self.text.truncate(1),
            KeyCode::Char(c) if !control => self.text.push(c),
            _ => {}
        }
        Typed::More
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_lines_are_taken_back() {
        let mut prompt = Prompt { what: For::Search, text: "one two ".to_owned() };
        let mut control = |c| {
            prompt.key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL));
            prompt.text.clone()
        };
        assert_eq!([control('w'), control('w')], ["one ", ""]);
        assert_eq!(prompt.key(KeyEvent::new(KeyCode::Backspace, KeyModifiers::NONE)), Typed::GivenUp);
    }
}
