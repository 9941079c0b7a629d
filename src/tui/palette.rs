//! The command palette: everything that the command line does, with what fits behind each word.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

use super::app::App;
use super::fuzzy;
use super::mouse::{Spot, row_of};
use super::text::cell;

/// Suggestions that are shown.
const SHOWN: usize = 10;

/// What could stand where one is typing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    pub word: String,
    pub about: String,
}

/// A command of nagaya, for the palette.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    pub name: Suggestion,
    /// The commands below it.
    pub below: Vec<Suggestion>,
}

/// Suggestions for what is typed, the best first: a command, one below it, then services or tasks.
pub fn suggestions(app: &App, typed: &str) -> Vec<Suggestion> {
    let (before, letters) = typed.rsplit_once(' ').unwrap_or(("", typed));
    let mut before = before.split_whitespace();
    let all: Vec<Suggestion> = match (before.next(), before.next()) {
        (None, _) => app.commands.iter().map(|it| it.name.clone()).collect(),
        (Some("help"), None) => app.commands.iter().map(|it| it.name.clone()).filter(|it| it.word != "help").collect(),
        (Some("help"), Some(command)) => below(app, command),
        (Some("run"), _) => tasks(app),
        (Some("scale"), _) => services(app).into_iter().map(|it| Suggestion { word: it.word + "=", ..it }).collect(),
        (Some(command), None) if !below(app, command).is_empty() => below(app, command),
        (Some(_), _) => services(app),
    };
    let mut found = fuzzy::best(letters, all.into_iter(), |it| it.word.clone());
    // A word that is whole needs no more.
    found.sort_by_key(|it| it.word != letters);
    found.truncate(SHOWN);
    found
}

fn below(app: &App, command: &str) -> Vec<Suggestion> {
    app.commands.iter().find(|it| it.name.word == command).map(|it| it.below.clone()).unwrap_or_default()
}

fn services(app: &App) -> Vec<Suggestion> {
    let here = app.subject();
    let mut all: Vec<Suggestion> = app
        .groups()
        .iter()
        .filter_map(|group| {
            Some(Suggestion { word: group.name().to_owned(), about: group.lead()?.state.word().to_owned() })
        })
        .collect();
    all.sort_by_key(|it| Some(&it.word) != here.as_ref());
    all
}

fn tasks(app: &App) -> Vec<Suggestion> {
    let Some(Ok(all)) = &app.tasks.told else { return Vec::new() };
    let about = |text: &Option<String>| text.clone().unwrap_or_default();
    all.iter().map(|task| Suggestion { word: task.id.clone(), about: about(&task.description) }).collect()
}

/// What is typed with its last word taken from a suggestion, ready for the next one.
pub fn completed(typed: &str, suggestion: &Suggestion) -> String {
    let before = typed.rfind(' ').map_or("", |at| &typed[..=at]);
    // Where a number belongs to the word, it comes at once.
    let gap = if suggestion.word.ends_with('=') { "" } else { " " };
    format!("{before}{}{gap}", suggestion.word)
}

/// Words as a shell would read them: quotes hold a word together, a backslash keeps the next character.
pub fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match (char, quote) {
            ('\\', None | Some('"')) => word.get_or_insert_default().extend(chars.next()),
            (char, Some(open)) if char == open => quote = None,
            (char, Some(_)) => word.get_or_insert_default().push(char),
            ('"' | '\'', None) => {
                quote = Some(char);
                word.get_or_insert_default();
            }
            (char, None) if char.is_whitespace() => words.extend(word.take()),
            (char, None) => word.get_or_insert_default().push(char),
        }
    }
    words.extend(word);
    words
}

/// Paints the suggestions above the line that is typed; where each is.
pub fn draw(app: &App, frame: &mut Frame<'_>, area: Rect, typed: &str, selected: usize) -> Vec<(Rect, Spot)> {
    let found = suggestions(app, typed);
    if found.is_empty() {
        return Vec::new();
    }
    let width = area.width.min(72);
    let height = u16::try_from(found.len() + 2).unwrap_or(12).min(area.height.saturating_sub(1));
    let place = Rect { x: area.x, y: area.bottom().saturating_sub(height + 1), width, height };
    let words = found.iter().map(|it| it.word.chars().count()).max().unwrap_or(0).clamp(6, 30);
    let rest = usize::from(width).saturating_sub(words + 5);
    let line = |(at, it): (usize, &Suggestion)| {
        let line = Line::from(vec![
            Span::raw(format!(" {} ", cell(&it.word, words, false))),
            Span::styled(cell(&it.about, rest, false), app.theme.faint()),
        ]);
        if at == selected.min(found.len() - 1) { line.style(app.theme.selected(true)) } else { line }
    };
    let lines: Vec<Line<'_>> = found.iter().enumerate().map(line).collect();
    let block = Block::bordered().title(Span::styled(" nagaya ", app.theme.title()));
    let inner = block.inner(place);
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(lines).block(block), place);
    (0..found.len()).map(|at| (row_of(inner, at), Spot::Suggestion(at))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_a_shell_does() {
        assert_eq!(
            words(r#"exec web -- sh -c "a b" 'c "d' e\ f """#),
            ["exec", "web", "--", "sh", "-c", "a b", "c \"d", "e f", ""]
        );
        assert_eq!(words("  "), [""; 0]);
        assert_eq!(words("open 'quote"), ["open", "quote"]);
    }

    #[test]
    fn a_suggestion_takes_the_place_of_the_last_word() {
        let suggestion = Suggestion { word: "users".to_owned(), about: String::new() };
        assert_eq!(completed("restart us", &suggestion), "restart users ");
        assert_eq!(completed("re", &suggestion), "users ");
    }
}
