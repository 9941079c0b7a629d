//! Signals by name, as `stop_signal` and exit reports spell them.

use std::fmt;

/// A Unix signal number that this system knows by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signal(i32);

/// The signals of POSIX that one sends to a service, and WINCH, by which some servers end. The numbers are those that
/// Linux and macOS share, but for the five where both are given.
const NAMES: [(&str, i32); 15] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ABRT", 6),
    ("KILL", 9),
    ("SEGV", 11),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("USR1", if cfg!(target_os = "macos") { 30 } else { 10 }),
    ("USR2", if cfg!(target_os = "macos") { 31 } else { 12 }),
    ("CONT", if cfg!(target_os = "macos") { 19 } else { 18 }),
    ("STOP", if cfg!(target_os = "macos") { 17 } else { 19 }),
    ("TSTP", if cfg!(target_os = "macos") { 18 } else { 20 }),
    ("WINCH", 28),
];

impl Signal {
    pub const HUP: Self = Self(1);
    pub const INT: Self = Self(2);
    pub const QUIT: Self = Self(3);
    pub const TERM: Self = Self(15);
    pub const KILL: Self = Self(9);

    /// Reads `SIGTERM`, `TERM`, `term` or `15`.
    pub fn parse(text: &str) -> Option<Self> {
        let upper = text.trim().to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        NAMES
            .iter()
            .find(|(known, number)| *known == name || number.to_string() == name)
            .map(|&(_, number)| Self(number))
    }

    /// The names that [`Signal::parse`] knows.
    pub fn names() -> impl Iterator<Item = String> {
        NAMES.iter().map(|(name, _)| format!("SIG{name}"))
    }

    /// The kernel's number.
    pub fn number(self) -> i32 {
        self.0
    }

    /// The signal with a kernel's number, for reports; unknown ones keep their number.
    pub fn from_number(number: i32) -> Self {
        Self(number)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(_, number)| *number == self.0) {
            Some((name, _)) => f.pad(&format!("SIG{name}")),
            None => f.pad(&format!("signal {}", self.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_spelling() {
        for text in ["SIGTERM", "TERM", "term", "15", " sigterm "] {
            assert_eq!(Signal::parse(text), Some(Signal::TERM), "{text}");
        }
        assert_eq!(Signal::parse("SIGNOPE"), None);
        assert_eq!(Signal::from_number(64).to_string(), "signal 64");
    }
}
