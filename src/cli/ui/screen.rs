//! The terminal in the dashboard's state; dropping it restores it, also in a panic.

use std::io::{self, Write, stdout};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{cursor, execute};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use rustix::process::Signal;

use crate::effects::clock;
use crate::tui::{App, draw};

/// The wheel moves as the arrow keys do, and the terminal's own selection stays as it is (xterm, DECSET 1007).
const WHEEL_ON: &str = "\x1b[?1007h";
const WHEEL_OFF: &str = "\x1b[?1007l";

/// A terminal that is ours.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<io::Stdout>>,
}

impl Screen {
    /// Takes the terminal.
    pub fn enter() -> io::Result<Self> {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            before(panic);
        }));
        take()?;
        Ok(Self { terminal: Terminal::new(CrosstermBackend::new(stdout()))? })
    }

    /// Draws what has changed since the last frame.
    pub fn draw(&mut self, app: &mut App) -> io::Result<()> {
        self.terminal.draw(|frame| draw(app, frame, clock::utc())).map(|_| ())
    }

    /// Gives the terminal back and stops, as a shell expects of Ctrl-z; goes on when the shell says so.
    pub fn suspend(&mut self) -> io::Result<()> {
        restore();
        rustix::process::kill_current_process_group(Signal::TSTP)?;
        take()?;
        self.terminal.clear()
    }

    /// Puts a text on the clipboard of whoever sits at the terminal, through ssh too (OSC 52).
    pub fn copy(text: &str) -> io::Result<()> {
        write!(stdout(), "\x1b]52;c;{}\x07", STANDARD.encode(text))?;
        stdout().flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
        let _ = std::panic::take_hook();
    }
}

fn take() -> io::Result<()> {
    enable_raw_mode()?;
    execute!(stdout(), EnterAlternateScreen, cursor::Hide)?;
    stdout().write_all(WHEEL_ON.as_bytes())?;
    stdout().flush()
}

fn restore() {
    let _ = stdout().write_all(WHEEL_OFF.as_bytes());
    let _ = execute!(stdout(), LeaveAlternateScreen, cursor::Show);
    let _ = disable_raw_mode();
}
