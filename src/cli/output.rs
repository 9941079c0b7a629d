//! The only place that prints: data to standard output, everything else to standard error.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is where printing happens")]

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use anstream::ColorChoice;
use anstream::adapter::strip_str;
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use unicode_width::UnicodeWidthChar;

use super::args::{Color, Global};
use super::error::Error;
use crate::effects::environment;
use crate::manifest::Problems;
use crate::runtime::Problem;
use crate::supervise::State;
use crate::view;

/// How this run prints.
#[derive(Debug, Clone)]
pub struct Output {
    pub json: bool,
    pub quiet: bool,
    pub verbose: bool,
    choice: ColorChoice,
    /// Whether standard output takes colours, and whether standard error does: it is asked for with each line.
    takes_colors: (bool, bool),
}

impl Output {
    /// As the flags and the environment say (no-color.org, bixense.com/clicolors).
    pub fn new(global: &Global) -> Self {
        let choice = match global.color.unwrap_or_default() {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        Self { json: global.json, quiet: global.quiet, verbose: global.verbose, ..Self::with(choice) }
    }

    /// For what runs without flags.
    pub fn plain() -> Self {
        Self::with(ColorChoice::Auto)
    }

    fn with(choice: ColorChoice) -> Self {
        let out = anstream::AutoStream::new(io::stdout(), choice).current_choice();
        let err = anstream::AutoStream::new(io::stderr(), choice).current_choice();
        let takes_colors = (out != ColorChoice::Never, err != ColorChoice::Never);
        Self { json: false, quiet: false, verbose: false, choice, takes_colors }
    }

    /// The same without a word beside the data.
    pub fn silent(&self) -> Self {
        Self { quiet: true, ..self.clone() }
    }

    /// Whether standard output takes colours.
    pub fn colors(&self) -> bool {
        self.takes_colors.0
    }

    /// Whether standard error does.
    pub fn error_colors(&self) -> bool {
        self.takes_colors.1
    }

    /// Whether a person can be shown something that moves.
    pub fn is_terminal(&self) -> bool {
        let dumb = environment::variable("TERM").is_some_and(|term| term == "dumb");
        io::stdout().is_terminal() && io::stdin().is_terminal() && !dumb
    }

    /// Whether somebody sits at a terminal that a program can be given to.
    pub fn is_interactive(&self) -> bool {
        io::stdin().is_terminal()
    }

    /// Whether a line beside the data can be drawn anew while something goes on.
    pub fn is_live(&self) -> bool {
        let dumb = environment::variable("TERM").is_some_and(|term| term == "dumb");
        io::stderr().is_terminal() && !dumb && !self.quiet && !self.json
    }

    /// Draws that line in the place of the one before, no wider than the terminal; an empty one takes it away.
    pub fn status(&self, text: &str) {
        let mut err = io::stderr();
        let size = rustix::termios::tcgetwinsize(&err).map_or(0, |size| usize::from(size.ws_col));
        let most = if size > 1 { size - 1 } else { 79 };
        let mut width = 0;
        let fits = |c: &char| {
            width += c.width().unwrap_or(0);
            width <= most
        };
        let shown: String = text.chars().take_while(fits).collect();
        let _ = write!(err, "\r\x1b[K{shown}").and_then(|()| err.flush());
    }

    /// Draws lines in the place of those that were drawn before, no more than the terminal has; how many they are.
    pub fn redraw(&self, before: usize, lines: &[String]) -> usize {
        let mut out = io::stdout().lock();
        let rows = rustix::termios::tcgetwinsize(&out).map_or(24, |size| usize::from(size.ws_row));
        let shown = lines.len().min(rows.saturating_sub(1).max(1));
        let mut text = if before > 0 { format!("\x1b[{before}A\r\x1b[J") } else { String::new() };
        for line in &lines[..shown] {
            let line = if self.colors() { line.clone() } else { strip_str(line).to_string() };
            // Without line wrap what is too long ends at the edge, styles and all (DECAWM).
            text.push_str(&format!("\x1b[?7l{line}\x1b[?7h\n"));
        }
        finish(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
        shown
    }

    /// Prints a line of somebody else's, as it is, after a prefix of ours.
    pub fn raw_line(&self, prefix: &str, line: &[u8]) {
        let prefix = if self.colors() { prefix.to_owned() } else { strip_str(prefix).to_string() };
        finish(io::stdout().lock().write_all(&[prefix.as_bytes(), line, b"\n"].concat()));
    }

    /// The same to standard error.
    pub fn raw_error_line(&self, prefix: &str, line: &[u8]) {
        let prefix = if self.error_colors() { prefix.to_owned() } else { strip_str(prefix).to_string() };
        let _ = io::stderr().lock().write_all(&[prefix.as_bytes(), line, b"\n"].concat());
    }

    /// The columns of the terminal that standard output goes to; none where it goes elsewhere.
    pub fn width(&self) -> Option<usize> {
        let out = io::stdout();
        let size = out.is_terminal().then(|| rustix::termios::tcgetwinsize(&out).ok()).flatten()?;
        Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
    }

    /// Prints a line of data; text may have ANSI styles, which are left out where they are not wanted.
    pub fn line(&self, text: &str) {
        let mut out = anstream::AutoStream::new(io::stdout().lock(), self.choice);
        finish(writeln!(out, "{text}"));
    }

    /// Prints many lines of data at once.
    pub fn lines(&self, lines: &[String]) {
        let mut out = anstream::AutoStream::new(io::stdout().lock(), self.choice);
        let mut text = lines.join("\n");
        text.push('\n');
        finish(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
    }

    /// Prints a value as JSON over several lines.
    pub fn json(&self, value: &impl Serialize) {
        finish(io::stdout().lock().write_all(Self::as_json(value).as_bytes()));
    }

    /// A value as JSON over several lines.
    pub fn as_json(value: &impl Serialize) -> String {
        serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
    }

    /// Prints data that is a text already, with its line ends; one that is not JSON may have styles.
    pub fn text(&self, text: &str) {
        // Control characters are escaped in JSON, so there are no styles to be taken out of a text that can be long.
        if self.json {
            return finish(io::stdout().lock().write_all(text.as_bytes()));
        }
        let mut out = anstream::AutoStream::new(io::stdout().lock(), self.choice);
        finish(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
    }

    /// Prints a value as one line of JSON.
    pub fn json_line(&self, value: &impl Serialize) {
        self.line(&serde_json::to_string(value).unwrap_or_default());
    }

    /// Says something to the person, beside the data; `--quiet` silences it.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            self.tell(text);
        }
    }

    /// Says what may not be missed.
    pub fn tell(&self, text: &str) {
        let mut out = anstream::AutoStream::new(io::stderr().lock(), self.choice);
        let _ = writeln!(out, "{text}");
    }

    /// Says what to do about an error.
    pub fn hint(&self, text: &str) {
        self.tell(&format!("{}: {text}", paint("hint", AnsiColor::Cyan)));
    }

    /// Draws warnings of a manifest.
    pub fn warnings(&self, problems: &Problems) {
        if !problems.list.is_empty() && !self.quiet {
            self.tell(&view::draw_problems(problems, self.error_colors()));
        }
    }

    /// The error for a manifest that cannot be used.
    pub fn manifest_error(&self, problems: &Problems) -> Error {
        let rendered = view::draw_problems(problems, !self.json && self.error_colors());
        Problem::Manifest { rendered, errors: problems.errors(), brief: problems.brief() }.into()
    }

    /// Prints an error and gives its exit code.
    pub fn fail(&self, error: &Error) -> ExitCode {
        if error.silent {
            return ExitCode::from(error.code as u8);
        }
        if self.json {
            // In one line, as it may follow others.
            self.json_line(&serde_json::json!({ "error": error_json(error) }));
            return ExitCode::from(error.code as u8);
        }
        if let Some(detail) = &error.detail {
            self.tell(&format!("{detail}\n"));
        }
        self.tell(&format!("{}: {}", paint("error", AnsiColor::Red), error.message));
        error.hints.iter().for_each(|hint| self.hint(hint));
        ExitCode::from(error.code as u8)
    }
}

/// An error as all of `--json` have it.
pub fn error_json(error: &Error) -> serde_json::Value {
    let detail = error.detail.as_deref();
    let message = detail.map_or(error.message.clone(), |detail| format!("{}\n{detail}", error.message));
    let message = strip_str(&message).to_string();
    serde_json::json!({ "code": error.code as u8, "message": message, "hints": error.hints })
}

/// A reader that has seen enough closes the pipe, which is no error; a full disk is.
fn finish(result: io::Result<()>) {
    let Err(error) = result else { return };
    let code = match error.kind() {
        io::ErrorKind::BrokenPipe => 0,
        _ => {
            let _ = writeln!(io::stderr(), "error: standard output cannot be written: {error}");
            1
        }
    };
    #[allow(clippy::exit, clippy::disallowed_methods, reason = "nobody reads any more")]
    std::process::exit(code);
}

/// A text in a colour, bold.
pub fn paint(text: &str, color: AnsiColor) -> String {
    let style = Style::new().bold().fg_color(Some(color.into()));
    format!("{style}{text}{style:#}")
}

/// A text in a colour.
pub fn tint(text: &str, color: AnsiColor) -> String {
    let style = Style::new().fg_color(Some(color.into()));
    format!("{style}{text}{style:#}")
}

/// A text that stands out.
pub fn bold(text: &str) -> String {
    let style = Style::new().bold();
    format!("{style}{text}{style:#}")
}

/// A text that steps back.
pub fn dim(text: &str) -> String {
    let style = Style::new().dimmed();
    format!("{style}{text}{style:#}")
}

/// A state with its mark and colour.
pub fn state(state: State) -> String {
    tint(&format!("{} {}", view::state_mark(state), state.word()), color(state))
}

/// What is said of who is in a state, in its colour.
pub fn said(state: State) -> String {
    tint(state.said(), color(state))
}

fn color(state: State) -> AnsiColor {
    match state {
        State::Ready | State::Running | State::Completed => AnsiColor::Green,
        State::Waiting | State::Setup | State::Starting | State::Stopping => AnsiColor::Yellow,
        State::Unhealthy | State::Backoff | State::Failed => AnsiColor::Red,
        State::Idle | State::Stopped => AnsiColor::BrightBlack,
    }
}
