//! What is typed into prompts.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::app::{App, Ask, Over};
use super::logs::matcher;
use super::page::Page;
use super::palette::{Suggestion, completed, suggestions, words};
use super::prompt::{For, Prompt, Typed};

impl App {
    /// Takes a key for a prompt.
    pub(super) fn type_key(&mut self, mut prompt: Prompt, key: KeyEvent) -> Option<Ask> {
        match (prompt.what, moved(key)) {
            (For::Command(_), Some(by)) => {
                self.go_suggestions(prompt, by);
                return None;
            }
            (For::Service, Some(by)) => {
                self.go_services(by);
                self.over = Over::Prompt(prompt);
                return None;
            }
            _ => {}
        }
        match (prompt.key(key), prompt.what) {
            (Typed::More, _) => self.go_on_typing(prompt),
            (Typed::GivenUp, For::Service) => self.find_services(""),
            (Typed::Given, For::Service) => self.find_services(&prompt.text),
            (Typed::GivenUp, For::Search) => drop(self.search_for("")),
            (Typed::GivenUp, For::Filter) => self.keep(""),
            (Typed::GivenUp, For::Input) => drop(self.trail.back()),
            (Typed::GivenUp, For::Path | For::Share | For::Command(_)) => {}
            (Typed::Given, For::Search) => {
                if self.search_for(&prompt.text) == Some(0) {
                    self.message = Some(format!("nothing matches `{}`", prompt.text));
                }
            }
            (Typed::Given, For::Filter) => self.keep(&prompt.text),
            (Typed::Given, For::Path) => return Some(Ask::Explain(prompt.text)),
            (Typed::Given, For::Share) => {
                let percent = prompt.text.trim().trim_end_matches('%').trim().parse::<f64>();
                let Some(percent) = percent.ok().filter(|it| (0.0..=100.0).contains(it)) else {
                    self.message = Some("a share is a number from 0 to 100".to_owned());
                    return None;
                };
                let words = self.routes.give(percent);
                return self.shift(words);
            }
            (Typed::Given, For::Input) => {
                // One line after the other, until it is left.
                self.over = Over::Prompt(Prompt::new(For::Input));
                return Some(Ask::Type(format!("{}\n", prompt.text).into_bytes()));
            }
            (Typed::Given, For::Command(selected)) => return self.command(prompt, selected),
        }
        None
    }

    /// Shows at once what is found by what was typed so far.
    fn go_on_typing(&mut self, mut prompt: Prompt) {
        match prompt.what {
            For::Filter => self.keep(&prompt.text),
            For::Service => self.find_services(&prompt.text),
            For::Command(_) => prompt.what = For::Command(0),
            _ => {}
        }
        self.over = Over::Prompt(prompt);
    }

    /// Takes what was pasted, for a prompt or the program that has the keys. Nowhere else is it anything: its letters are keys
    /// by chance, and one of them stops services.
    pub(super) fn paste(&mut self, text: &str) -> Option<Ask> {
        self.message = None;
        match std::mem::replace(&mut self.over, Over::Nothing) {
            Over::Prompt(mut prompt) => {
                prompt.paste(text);
                self.go_on_typing(prompt);
            }
            Over::Nothing if self.keys_are_of().is_some() => return self.paste_there(text),
            over => {
                self.over = over;
                self.message = Some("nothing here takes text, so what was pasted was left alone".to_owned());
            }
        }
        None
    }

    /// Searches the lines of this page: how many match, where something is searched for.
    fn search_for(&mut self, pattern: &str) -> Option<usize> {
        if *self.trail.top() == Page::Output {
            self.outputs.search_for(matcher(pattern));
            return self.outputs.search.is_some().then(|| self.outputs.matches());
        }
        match pattern {
            "" => self.logs.search = None,
            pattern => self.logs.search_for(pattern),
        }
        self.logs.search.is_some().then(|| self.logs.matches())
    }

    /// Shows only what matches, on this page.
    fn keep(&mut self, text: &str) {
        match self.trail.top() {
            Page::Requests => self.requests.keep(text),
            Page::Tasks => self.tasks.keep(text),
            _ => self.logs.keep(text),
        }
    }

    /// Runs what is typed, or takes a suggestion where a word is not whole.
    fn command(&mut self, prompt: Prompt, selected: usize) -> Option<Ask> {
        let letters = prompt.text.rsplit(' ').next().unwrap_or_default();
        let found = suggestions(self, &prompt.text);
        let is_whole = letters.is_empty() || found.is_empty() || found.iter().any(|it| it.word == letters);
        if let Some(suggestion) = found.get(selected).filter(|_| !is_whole || selected > 0) {
            self.complete(&prompt.text, suggestion);
            return None;
        }
        self.run_typed(&prompt.text)
    }

    /// Takes the suggestion of a place, as it was pointed at; if its word stands there already, runs what is typed.
    pub(super) fn pick(&mut self, place: usize) -> Option<Ask> {
        let Over::Prompt(Prompt { what: For::Command(_), text }) = &self.over else { return None };
        let text = text.clone();
        let suggestion = suggestions(self, &text).into_iter().nth(place)?;
        if text.rsplit(' ').next() != Some(suggestion.word.as_str()) {
            self.complete(&text, &suggestion);
            return None;
        }
        self.over = Over::Nothing;
        self.run_typed(&text)
    }

    /// Moves in the suggestions of a palette; other prompts have none.
    pub(super) fn go_suggestions(&mut self, mut prompt: Prompt, by: isize) {
        if let For::Command(selected) = prompt.what {
            let last = suggestions(self, &prompt.text).len().saturating_sub(1);
            prompt.what = For::Command(selected.saturating_add_signed(by).min(last));
        }
        self.over = Over::Prompt(prompt);
    }

    fn complete(&mut self, typed: &str, suggestion: &Suggestion) {
        self.over = Over::Prompt(Prompt { what: For::Command(0), text: completed(typed, suggestion) });
    }

    /// `attach [SERVICE] [--index N]`, as the command line has it.
    fn attach_typed(&mut self, words: &[String]) {
        let (service, index) = match words {
            [] => (self.subject(), None),
            [service] => (Some(service.clone()), None),
            [service, flag, index] | [flag, index, service] if flag == "--index" => {
                (Some(service.clone()), index.parse().ok())
            }
            _ => (None, None),
        };
        match service {
            Some(service) if words.len() < 2 || index.is_some() => self.attach(&service, index),
            _ => self.message = Some("`attach SERVICE` or `attach SERVICE --index N`".to_owned()),
        }
    }

    fn run_typed(&mut self, typed: &str) -> Option<Ask> {
        let words = words(typed);
        match words.first().map(String::as_str) {
            None => None,
            Some("ui") => {
                self.message = Some("`ui` needs a terminal of its own".to_owned());
                None
            }
            Some("attach") => {
                self.attach_typed(&words[1..]);
                None
            }
            Some(_) => self.run(words, true),
        }
    }
}

/// How far a key moves in a list of suggestions, where it does.
fn moved(key: KeyEvent) -> Option<isize> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Down | KeyCode::Tab => Some(1),
        KeyCode::Char('n') if control => Some(1),
        KeyCode::Up | KeyCode::BackTab => Some(-1),
        KeyCode::Char('p') if control => Some(-1),
        _ => None,
    }
}
