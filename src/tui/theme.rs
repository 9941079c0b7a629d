//! Colours, or none: every state also has a mark and a word.

use ratatui::style::{Color, Modifier, Style};

use crate::supervise::State;

/// How things are painted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    pub colors: bool,
}

impl Theme {
    fn color(self, color: Color) -> Style {
        // It may be drawn over what steps back, as a title is over its frame.
        let plain = Style::new().remove_modifier(Modifier::DIM);
        if self.colors { plain.fg(color) } else { plain }
    }

    /// A state.
    pub fn state(self, state: State) -> Style {
        match state {
            State::Ready | State::Running | State::Completed => self.color(Color::Green),
            State::Waiting | State::Setup | State::Starting | State::Stopping => self.color(Color::Yellow),
            State::Unhealthy | State::Backoff | State::Failed => self.bad(),
            State::Idle | State::Stopped => self.faint(),
        }
    }

    /// What went well.
    pub fn good(self) -> Style {
        self.color(Color::Green)
    }

    /// What is wrong.
    pub fn bad(self) -> Style {
        self.color(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// What a service in this state waits for or does wrong.
    pub fn bad_of(self, state: State) -> Style {
        match state {
            State::Unhealthy | State::Backoff | State::Failed => self.color(Color::Red),
            _ => self.faint(),
        }
    }

    /// A line of standard error.
    pub fn stderr(self) -> Style {
        self.color(Color::Red)
    }

    /// A level of a log line.
    pub fn level(self, level: &str) -> Style {
        match level {
            "error" | "fatal" => self.color(Color::Red),
            "warn" => self.color(Color::Yellow),
            "debug" | "trace" => self.faint(),
            _ => Style::new(),
        }
    }

    /// What steps back. No grey: of 16 colours the palettes of some have the background in its place (Solarized), and on
    /// light ones it is anything.
    pub fn faint(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// Names and titles.
    pub fn title(self) -> Style {
        self.color(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    /// The selected row of the pane that keys go to, and of the other.
    pub fn selected(self, focused: bool) -> Style {
        match focused {
            true => Style::new().add_modifier(Modifier::REVERSED),
            false => Style::new().add_modifier(Modifier::BOLD),
        }
    }

    /// What was searched for.
    pub fn found(self) -> Style {
        match self.colors {
            true => Style::new().fg(Color::Black).bg(Color::Yellow),
            false => Style::new().add_modifier(Modifier::REVERSED),
        }
    }
}
