//! The terminal in the dashboard's state; dropping it restores it, also in a panic.

use std::io::{self, Write, stdout};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{cursor, execute};
use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use ratatui::{Frame, Terminal};
use rustix::process::Signal;

use super::palette::{Palette, is_rich};
use crate::effects::{clock, environment};
use crate::tui::{App, draw, is_whole};

/// Presses and the wheel are told, with Shift they stay the terminal's; movements are nobody's (xterm, DECSET 1000, 1006).
const CLICKS: &str = "\x1b[?1007l\x1b[?1000h\x1b[?1006h";
/// The wheel moves as the arrow keys do, and all else of the mouse stays the terminal's (DECSET 1007).
const WHEEL: &str = "\x1b[?1006l\x1b[?1000l\x1b[?1007h";
const NO_MOUSE: &str = "\x1b[?1006l\x1b[?1000l\x1b[?1007l";

/// A terminal that is ours.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<Palette<io::Stdout>>>,
    has_mouse: bool,
    /// It is ours now. Given back twice, it would put its cursor where it was before the lines that were printed since.
    is_taken: bool,
    /// How many frames were drawn.
    frames: usize,
}

impl Screen {
    /// Takes the terminal.
    pub fn enter(has_mouse: bool) -> io::Result<Self> {
        let said = |name| environment::variable(name).and_then(|it| it.into_string().ok()).unwrap_or_default();
        let out = Palette::new(stdout(), is_rich(&said("TERM"), &said("COLORTERM")));
        take(has_mouse)?;
        let terminal = Terminal::new(CrosstermBackend::new(out)).inspect_err(|_| restore())?;
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            before(panic);
        }));
        Ok(Self { terminal, has_mouse, is_taken: true, frames: 0 })
    }

    /// Draws what has changed since the last frame.
    pub fn draw(&mut self, app: &mut App) -> io::Result<()> {
        self.frames += 1;
        let number = self.frames;
        let paint = |frame: &mut Frame<'_>| {
            draw(app, frame, clock::utc());
            guard(frame.buffer_mut(), number);
        };
        self.terminal.draw(paint).map(|_| ())
    }

    /// Gives the terminal back and stops, as a shell expects of Ctrl-z; goes on when the shell says so.
    pub fn suspend(&mut self) -> io::Result<()> {
        self.leave();
        rustix::process::kill_current_process_group(Signal::TSTP)?;
        self.come_back()
    }

    /// Gives the terminal back for a while.
    pub fn leave(&mut self) {
        if std::mem::take(&mut self.is_taken) {
            restore();
        }
    }

    /// Takes the terminal again.
    pub fn come_back(&mut self) -> io::Result<()> {
        take(self.has_mouse)?;
        self.is_taken = true;
        self.terminal.clear()
    }

    /// Takes the mouse, or leaves it to the terminal.
    pub fn mouse(&mut self, is_ours: bool) -> io::Result<()> {
        self.has_mouse = is_ours;
        stdout().write_all(mouse(is_ours).as_bytes())?;
        stdout().flush()
    }

    /// Puts a text on the clipboard of whoever sits at the terminal, through ssh too (OSC 52).
    pub fn copy(text: &str) -> io::Result<()> {
        write!(stdout(), "\x1b]52;c;{}\x07", STANDARD.encode(text))?;
        stdout().flush()
    }
}

/// Two ways to clear two cells and stand before them. What differs from the frame before is drawn.
const CLEARED: [&str; 2] = ["  \u{8}\u{8}", "  \u{8} \u{8}\u{8}"];
/// In the place of what is never drawn, so that whatever takes that place is: no text is cut like this.
const HIDDEN: &str = " \u{200b}";

/// Has a terminal clear the cells of each character of which it may think otherwise than we before it draws that: one that
/// finds it narrower would leave there what was there before. It is drawn with each frame, as one before it may have been
/// drawn over it; and its second cell is drawn when it has gone, as for some two letters were there.
fn guard(buffer: &mut Buffer, frame: usize) {
    for at in 0..buffer.content.len() {
        if !is_whole(&buffer.content[at]) {
            continue;
        }
        let symbol = format!("{}{}", CLEARED[frame % 2], buffer.content[at].symbol());
        buffer.content[at].set_symbol(&symbol);
        if let Some(second) = buffer.content.get_mut(at + 1) {
            second.set_symbol(HIDDEN);
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // The hook of a panic has restored the terminal already, and cannot be taken back within one.
        if std::thread::panicking() {
            return;
        }
        self.leave();
        let _ = std::panic::take_hook();
    }
}

fn mouse(is_ours: bool) -> &'static str {
    if is_ours { CLICKS } else { WHEEL }
}

fn take(has_mouse: bool) -> io::Result<()> {
    enable_raw_mode()?;
    let begin = || {
        execute!(stdout(), EnterAlternateScreen, cursor::Hide, EnableBracketedPaste)?;
        stdout().write_all(mouse(has_mouse).as_bytes())?;
        stdout().flush()
    };
    begin().inspect_err(|_| restore())
}

fn restore() {
    let _ = stdout().write_all(NO_MOUSE.as_bytes());
    let _ = execute!(stdout(), DisableBracketedPaste, LeaveAlternateScreen, cursor::Show);
    let _ = disable_raw_mode();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::steady;

    fn frame(line: &str, number: usize) -> Buffer {
        let mut buffer = Buffer::with_lines([line]);
        steady(&mut buffer);
        guard(&mut buffer, number);
        buffer
    }

    /// What is drawn of a frame after another: columns and symbols.
    fn drawn(before: &Buffer, after: &Buffer) -> Vec<(u16, String)> {
        before.diff(after).into_iter().map(|(x, _, cell)| (x, cell.symbol().to_owned())).collect()
    }

    #[test]
    fn a_terminal_clears_before_it_draws_what_it_may_find_narrower() {
        let all = drawn(&Buffer::with_lines(["      "]), &frame("❤\u{fe0f}abc ", 0));
        let told = ["  \u{8}\u{8}❤\u{fe0f}", "a", "b", "c"].map(str::to_owned);
        assert_eq!(all, [0, 2, 3, 4].into_iter().zip(told).collect::<Vec<_>>());
    }

    /// Where a flag was two letters for a terminal, each has a cell that is to be drawn over.
    #[test]
    fn nothing_stays_of_a_flag_that_was_two_letters() {
        let columns = |after: &str| {
            drawn(&frame("🇯🇵   xyz", 0), &frame(after, 1)).into_iter().map(|(x, _)| x).collect::<Vec<_>>()
        };
        assert_eq!(columns("     xyz"), [0, 1, 2, 3]);
        // A wide one takes both.
        assert_eq!(columns("長   xyz"), [0, 2, 3]);
    }

    #[test]
    fn one_behind_another_is_drawn_again_with_it() {
        let of = |number| frame("👩\u{200d}👩\u{200d}👧🇯🇵🇩🇪abcdef", number);
        let again: Vec<u16> = drawn(&of(0), &of(1)).into_iter().map(|(x, _)| x).collect();
        assert_eq!(again, [0, 2, 4, 6, 7]);
    }
}
