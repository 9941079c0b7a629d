//! The terminal in the dashboard's state; dropping it restores it, also in a panic.

use std::io::{self, Write, stdout};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{cursor, execute};
use ratatui::backend::CrosstermBackend;
use ratatui::{Frame, Terminal};
use rustix::process::Signal;

use super::guard::guard;
use super::palette::{Palette, is_rich};
use crate::effects::{clock, environment};
use crate::tui::{App, draw};

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
