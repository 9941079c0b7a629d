//! Picking a task by a few of its letters.

use std::io::{self, Write};

use crossterm::cursor::{Hide, MoveToColumn, MoveUp, Show};
use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, read};
use crossterm::terminal::{Clear, ClearType, disable_raw_mode, enable_raw_mode, size};
use crossterm::{execute, queue};
use unicode_width::UnicodeWidthChar;

use crate::cli::error::Error;
use crate::cli::output::{Output, bold, dim};
use crate::pipeline::{Ranked, rank};

/// One of the tasks that can be picked.
#[derive(Debug, Clone)]
pub struct Choice {
    /// The place among all candidates.
    pub place: usize,
    pub name: String,
    pub about: String,
}

/// Lines of choices.
const LINES: usize = 12;

/// What is typed and where the cursor is.
#[derive(Debug, Default)]
struct Picker {
    query: String,
    selected: usize,
}

/// What a key means.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    Go,
    Pick,
    Leave,
}

/// Has somebody pick one, by its place; nothing where they would rather not.
pub fn pick(choices: &[Choice], output: &Output) -> Result<Option<usize>, Error> {
    let failed = |error: io::Error| Error::failed(format!("the terminal cannot be used: {error}"));
    enable_raw_mode().map_err(failed)?;
    let picked = ask(choices, output.error_colors());
    let _ = execute!(io::stderr(), MoveToColumn(0), Clear(ClearType::FromCursorDown), Show);
    let _ = disable_raw_mode();
    let picked = picked.map_err(failed)?.map(|at| &choices[at]);
    if let Some(choice) = picked {
        output.tell(&dim(&format!("nagaya run {}", choice.name)));
    }
    Ok(picked.map(|choice| choice.place))
}

fn ask(choices: &[Choice], colors: bool) -> io::Result<Option<usize>> {
    let mut picker = Picker::default();
    loop {
        let ranked = rank(&picker.query, choices.iter().map(|choice| choice.name.as_str()));
        picker.selected = picker.selected.min(ranked.len().saturating_sub(1));
        draw(&picker, &ranked, choices, colors)?;
        let Event::Key(key) = read()? else { continue };
        match picker.take(key) {
            Turn::Go => {}
            Turn::Leave => return Ok(None),
            Turn::Pick => {
                if let Some(chosen) = ranked.get(picker.selected) {
                    return Ok(Some(chosen.place));
                }
            }
        }
    }
}

impl Picker {
    fn take(&mut self, key: KeyEvent) -> Turn {
        if key.kind == KeyEventKind::Release {
            return Turn::Go;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Enter => return Turn::Pick,
            KeyCode::Esc => return Turn::Leave,
            KeyCode::Char('c' | 'd') if control => return Turn::Leave,
            KeyCode::Char('p') if control => self.selected = self.selected.saturating_sub(1),
            KeyCode::Char('n') if control => self.selected += 1,
            KeyCode::Char('u') if control => self.set(String::new()),
            KeyCode::Up => self.selected = self.selected.saturating_sub(1),
            KeyCode::Down | KeyCode::Tab => self.selected += 1,
            KeyCode::Backspace => {
                let mut query = std::mem::take(&mut self.query);
                query.pop();
                self.set(query);
            }
            KeyCode::Char(c) if !control => {
                let query = format!("{}{c}", self.query);
                self.set(query);
            }
            _ => {}
        }
        Turn::Go
    }

    fn set(&mut self, query: String) {
        self.query = query;
        self.selected = 0;
    }
}

/// Draws the question and the best choices below, and goes back to the question's line.
fn draw(picker: &Picker, ranked: &[Ranked], choices: &[Choice], colors: bool) -> io::Result<()> {
    let lines = lines(picker, ranked, choices, size().unwrap_or((80, 24)));
    let text = lines.join("\r\n");
    let text = if colors { text } else { anstream::adapter::strip_str(&text).to_string() };
    let mut out = io::stderr().lock();
    queue!(out, Hide, MoveToColumn(0), Clear(ClearType::FromCursorDown))?;
    out.write_all(text.as_bytes())?;
    queue!(out, MoveUp(u16::try_from(lines.len() - 1).unwrap_or(0)), MoveToColumn(0))?;
    out.flush()
}

/// As many lines as the terminal has: one more, and the question would be out of sight.
fn lines(picker: &Picker, ranked: &[Ranked], choices: &[Choice], (columns, rows): (u16, u16)) -> Vec<String> {
    let columns = usize::from(columns).max(20);
    let room = usize::from(rows).saturating_sub(2).clamp(1, LINES);
    let first = picker.selected.saturating_sub(room - 1);
    let mut lines = vec![format!("task> {}{}", cut(&picker.query, columns - 8), dim("_"))];
    for (at, it) in ranked.iter().enumerate().skip(first).take(room) {
        lines.push(line(&choices[it.place], it, at == picker.selected, columns));
    }
    lines.push(dim(&format!("{} of {}", ranked.len(), choices.len())));
    lines
}

fn line(choice: &Choice, ranked: &Ranked, selected: bool, columns: usize) -> String {
    let name = cut(&choice.name, columns - 4);
    let letter = |(at, c): (usize, char)| if ranked.at.contains(&at) { bold(&c.to_string()) } else { c.to_string() };
    let marked: String = name.chars().enumerate().map(letter).collect();
    let room = columns.saturating_sub(name.chars().count() + 6);
    let mark = if selected { bold(">") } else { " ".to_owned() };
    format!("{mark} {marked}  {}", dim(&cut(&choice.about, room)))
}

/// At most so many columns, and nothing that would move the cursor.
fn cut(text: &str, columns: usize) -> String {
    let mut left = columns;
    let fits = |c: &char| {
        let width = c.width().unwrap_or(0);
        let fits = width <= left;
        left = left.saturating_sub(width);
        fits
    };
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take_while(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(picker: &mut Picker, code: KeyCode) -> Turn {
        picker.take(KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn keys_type_and_move() {
        let mut picker = Picker::default();
        press(&mut picker, KeyCode::Down);
        assert_eq!(picker.selected, 1);
        press(&mut picker, KeyCode::Char('x'));
        assert_eq!((picker.query.as_str(), picker.selected), ("x", 0));
        press(&mut picker, KeyCode::Backspace);
        assert_eq!(picker.query, "");
        assert_eq!(press(&mut picker, KeyCode::Enter), Turn::Pick);
        assert_eq!(press(&mut picker, KeyCode::Esc), Turn::Leave);
        let control = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(picker.take(control), Turn::Leave);
    }

    #[test]
    fn a_low_terminal_shows_the_question_and_what_is_chosen() {
        let choice = |place| Choice { place, name: format!("task{place}"), about: String::new() };
        let choices: Vec<Choice> = (0..20).map(choice).collect();
        let ranked = rank("", choices.iter().map(|choice| choice.name.as_str()));
        let picker = Picker { selected: 15, ..Picker::default() };
        for rows in 3..40 {
            let lines = lines(&picker, &ranked, &choices, (80, rows));
            assert!(lines.len() <= usize::from(rows), "{} lines in {rows} rows", lines.len());
            let text = anstream::adapter::strip_str(&lines.join("\n")).to_string();
            assert!(text.starts_with("task> _") && text.contains("> task15"), "{rows} rows: {text}");
        }
    }

    #[test]
    fn a_line_fits_and_stands_still() {
        assert_eq!(cut("長屋\u{1b}x", 5), "長屋 ");
    }
}
