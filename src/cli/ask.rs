//! A question that is answered with yes or no.

use std::io::{self, BufRead, Write};

use super::args::Global;
use super::error::Error;
use super::output::Output;

/// Asks, where no flag answers; nobody is asked who is no person at a terminal. `unasked` is what is said then.
pub fn is_agreed(question: &str, unasked: Error, global: &Global, output: &Output) -> Result<bool, Error> {
    if global.yes {
        return Ok(true);
    }
    if global.no_input || output.json || !output.is_terminal() {
        return Err(unasked);
    }
    let mut out = io::stderr();
    let _ = write!(out, "{question} [y/N] ").and_then(|()| out.flush());
    let mut word = String::new();
    let read = io::stdin().lock().read_line(&mut word);
    Ok(matches!(read, Ok(count) if count > 0) && matches!(word.trim(), "y" | "Y" | "yes"))
}
