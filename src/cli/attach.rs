//! `nagaya attach`: the terminal of a service, here; or what it reads.

mod keys;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use anstream::adapter::StripBytes;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep_until};

use self::keys::{DetachKeys, Watch};
use super::args::Global;
use super::error::{Code, Error};
use super::locate::connect;
use super::output::Output;
use crate::api::{self, Client, Drawn, Keys};
use crate::effects::standard_input::StandardInput;
use crate::effects::terminal::Size;

/// Bytes passed on at once.
const PIECE: usize = 16 << 10;
/// How long the engine may take to know that a program has ended which draws no more.
const PATIENCE: Duration = Duration::from_secs(5);
/// A program that goes on when nothing more is typed, and has drawn nothing for this long, is left.
const QUIET: Duration = Duration::from_secs(2);
/// What people type where nothing more is to come (Ctrl-D).
const END_OF_INPUT: u8 = 4;
/// Puts everything back that a program may have changed: the screen, the mouse, pasting, keys, the cursor, colours.
const RESTORED: &[u8] =
    b"\x1b[?1047l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1004l\x1b[?2004l\x1b[?1l\x1b>\x1b[?25h\x1b[m\r\n";

#[derive(Debug, Args)]
pub struct Attach {
    /// The service; it has `tty: true`, or `stdin_open: true`
    pub service: String,
    /// Which of its instances
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub index: u32,
    /// The keys that detach, as Docker writes them: `ctrl-a,d`
    #[arg(long, env = "NAGAYA_DETACH_KEYS", value_name = "KEYS", default_value = DetachKeys::USUAL, value_parser = DetachKeys::parse)]
    pub detach_keys: DetachKeys,
}

/// How it ended.
enum End {
    Detached,
    /// The program draws no more.
    Over,
    /// A signal asks this process to end.
    Interrupted,
}

/// Shows the terminal and types what is typed here, until the program ends or the keys are typed that detach; where there is
/// none, until what is typed ends. Its exit code is the program's. What comes out of a pipe or a file has an end, of which
/// the program is told as a person would: then it ends, or is left once it is quiet.
pub async fn run(global: &Global, args: Attach, output: &Output) -> Result<ExitCode, Error> {
    let (client, _) = connect(global, output)?;
    let Attach { service, index, detach_keys } = args;
    let size = size();
    let before = instance(&client, &service, index).await?;
    let (rows, columns) = size.map(|size| (size.rows, size.columns)).unzip();
    let (drawn, keys, is_terminal) = client.attach(&service, api::Attach { instance: index, rows, columns }).await?;
    let failed = |error: io::Error| Error::failed(format!("the terminal: {error}"));
    let screen = is_terminal.then(|| Screen::enter(size)).transpose().map_err(failed)?;
    if !is_terminal {
        output.say(&format!(
            "{service} has no terminal: it reads what is typed here, `nagaya logs -f {service}` has its words"
        ));
    }
    let end = show(drawn, keys, Watch::new(detach_keys), is_terminal).await.map_err(failed)?;
    drop(screen);
    match end {
        End::Detached => {
            output.say(&format!("detached from {service}, which runs on"));
            Ok(ExitCode::SUCCESS)
        }
        End::Interrupted => Ok(ExitCode::from(Code::Interrupted as u8)),
        End::Over => ended(&client, (&service, index), before, output).await,
    }
}

/// The number of the main process of an instance, and the exit code of the last one.
async fn instance(client: &Client, service: &str, index: u32) -> Result<(Option<u32>, Option<i32>), Error> {
    let rows = client.services().await?;
    let row = rows.into_iter().find(|row| row.id() == (service, index));
    Ok(row.map_or((None, None), |row| (row.pid, row.exit_code)))
}

/// The program draws no more: tells how it ended, once the engine knows.
async fn ended(
    client: &Client,
    (service, index): (&str, u32),
    before: (Option<u32>, Option<i32>),
    output: &Output,
) -> Result<ExitCode, Error> {
    let known = async {
        let mut stream = client.events("/v1/services/stream").await?;
        loop {
            let now = instance(client, service, index).await?;
            if now.0 != before.0 {
                return Ok::<_, Error>(now.1);
            }
            if stream.next::<serde_json::Value>().await.is_none() {
                return Err(Error::new(Code::NoEngine, "the engine is gone"));
            }
        }
    };
    let code = tokio::time::timeout(PATIENCE, known).await.unwrap_or(Ok(None))?;
    let how = code.map(|code| format!(" with {code}")).unwrap_or_default();
    output.say(&format!("{service} ended{how}"));
    Ok(ExitCode::from(u8::try_from(code.unwrap_or(0)).unwrap_or(1)))
}

/// The size of the terminal that this is seen in, where it is one.
fn size() -> Option<Size> {
    let out = io::stdout();
    let size = out.is_terminal().then(|| rustix::termios::tcgetwinsize(&out).ok()).flatten()?;
    Some(Size { rows: size.ws_row, columns: size.ws_col }).filter(|size| size.rows > 0 && size.columns > 0)
}

/// The terminal here while it is another's. Dropping it puts everything back, however this ends.
struct Screen {
    is_raw: bool,
}

impl Screen {
    fn enter(size: Option<Size>) -> io::Result<Self> {
        let is_raw = io::stdin().is_terminal();
        if is_raw {
            crossterm::terminal::enable_raw_mode()?;
        }
        let screen = Self { is_raw };
        if let Some(size) = size {
            // What was here is scrolled up, and not drawn over.
            let mut out = io::stdout().lock();
            out.write_all(&b"\r\n".repeat(size.rows.into()))?;
            out.flush()?;
        }
        Ok(screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if io::stdout().is_terminal() {
            let mut out = io::stdout().lock();
            let _ = out.write_all(RESTORED).and_then(|()| out.flush());
        }
        if self.is_raw {
            let _ = crossterm::terminal::disable_raw_mode();
        }
    }
}

async fn show(mut drawn: Drawn, mut keys: Keys, mut watch: Watch, is_terminal: bool) -> io::Result<End> {
    let mut resized = signal(SignalKind::window_change())?;
    let (mut terminate, mut hangup) = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
    // In a raw terminal this is a key; else it is meant for this process.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut typed = StandardInput::open();
    let (mut picture, mut buffer) = (vec![0; PIECE], vec![0; PIECE]);
    let (mut screen, mut line) = (Seen::new(), Line::default());
    let mut quiet: Option<Instant> = None;
    loop {
        tokio::select! {
            count = drawn.next(&mut picture) => {
                if count == 0 {
                    return Ok(End::Over);
                }
                screen.show(&picture[..count])?;
                quiet = quiet.map(|_| Instant::now() + QUIET);
            }
            count = typed.next(&mut buffer) => {
                let Some(count) = count else {
                    match typed.is_over() {
                        false => {}
                        // Nothing more is to be seen either.
                        true if !is_terminal => return Ok(End::Detached),
                        // The terminal here is gone.
                        true if io::stdin().is_terminal() => return Ok(End::Interrupted),
                        true => {
                            let _ = keys.write(line.end()).await;
                            quiet = Some(Instant::now() + QUIET);
                        }
                    }
                    continue;
                };
                let (passed, is_over) = watch.typed(&buffer[..count]);
                line.typed(&passed);
                // One that is gone is seen where it draws.
                let _ = keys.write(&passed).await;
                if is_over {
                    return Ok(End::Detached);
                }
            }
            () = sleep_until(quiet.unwrap_or_else(Instant::now)), if quiet.is_some() => return Ok(End::Detached),
            _ = resized.recv() => if let Some(size) = size() {
                let _ = keys.resize(size).await;
            },
            _ = terminate.recv() => return Ok(End::Interrupted),
            _ = hangup.recv() => return Ok(End::Interrupted),
            _ = interrupt.recv() => return Ok(End::Interrupted),
        }
    }
}

/// Where it is shown what is drawn: a terminal takes it as it is, and others the text of it.
struct Seen {
    is_terminal: bool,
    text: StripBytes,
}

impl Seen {
    fn new() -> Self {
        Self { is_terminal: io::stdout().is_terminal(), text: StripBytes::new() }
    }

    fn show(&mut self, drawn: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        match self.is_terminal {
            true => out.write_all(drawn)?,
            false => self.text.strip_next(drawn).try_for_each(|text| out.write_all(text))?,
        }
        out.flush()
    }
}

/// What was typed so far, as far as its end depends on it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// Nothing: whoever only looks ends nothing.
    #[default]
    None,
    Begun,
    Complete,
}

impl Line {
    fn typed(&mut self, bytes: &[u8]) {
        match bytes.last() {
            Some(b'\n' | b'\r') => *self = Self::Complete,
            Some(_) => *self = Self::Begun,
            None => {}
        }
    }

    /// The keys that say that there is no more: the first one ends the line, where one was begun.
    fn end(self) -> &'static [u8] {
        match self {
            Self::None => &[],
            Self::Begun => &[END_OF_INPUT; 2],
            Self::Complete => &[END_OF_INPUT],
        }
    }
}
