//! Terminals of services: what a program draws goes in lines to the log, and as it is to whoever is attached.
//!
//! Whoever attaches first gets the screen as it is, which is kept here for that, then all that is drawn. The size is the
//! smallest of all that are attached, so that each sees everything.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::process::getpgrp;
use rustix::pty::{OpenptFlags, openpt, unlockpt};
use rustix::termios::{Winsize, tcgetpgrp, tcsetwinsize};
use tokio::io::AsyncWriteExt;
use tokio::io::unix::AsyncFd;
use tokio::net::unix::pipe;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};

use crate::telemetry::logs::Plain;

/// Whether this process is among those that its terminal tells of Ctrl-C; not where there is no terminal.
pub fn is_in_foreground() -> bool {
    let terminal = open("/dev/tty", OFlags::RDONLY | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty());
    terminal.and_then(tcgetpgrp).is_ok_and(|group| group == getpgrp())
}

/// A size in cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Size {
    pub rows: u16,
    pub columns: u16,
}

impl Size {
    /// That of a terminal that nobody has looked at.
    pub const USUAL: Self = Self { rows: 24, columns: 80 };
    /// A screen of less has nothing to show, and one of more is nobody's.
    const LEAST: Self = Self { rows: 2, columns: 2 };
    const MOST: Self = Self { rows: 1000, columns: 1000 };

    fn clamped(self) -> Self {
        Self {
            rows: self.rows.clamp(Self::LEAST.rows, Self::MOST.rows),
            columns: self.columns.clamp(Self::LEAST.columns, Self::MOST.columns),
        }
    }
}

/// Pieces that wait for somebody who is slow; whoever is slower gets the screen anew.
const WAITING: usize = 256;
/// Bytes read at once.
const PIECE: usize = 16 << 10;

/// The terminal of a running service; clones are the same one.
#[derive(Clone)]
pub struct Terminal {
    shared: Arc<Shared>,
    /// From which others are made; it is never read itself.
    output: Arc<broadcast::Receiver<Bytes>>,
}

impl fmt::Debug for Terminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Terminal")
    }
}

struct Shared {
    master: AsyncFd<OwnedFd>,
    tell: Tell,
    shown: Mutex<Shown>,
}

/// Who is told how large it is.
enum Tell {
    /// The kernel, which has the terminal.
    Kernel,
    /// Whoever has it.
    Others(watch::Sender<Size>),
}

struct Shown {
    screen: vt100::Parser,
    size: Size,
    /// Of all that are attached.
    sizes: BTreeMap<u64, Size>,
    next: u64,
}

impl Shown {
    fn draw(&mut self, drawn: &[u8]) {
        // A program may draw what nobody has thought of.
        if catch_unwind(AssertUnwindSafe(|| self.screen.process(drawn))).is_err() {
            self.screen = vt100::Parser::new(self.size.rows, self.size.columns, 0);
        }
    }

    /// The smallest of all that are attached; the last one where nobody is.
    fn wanted(&self) -> Option<Size> {
        let rows = self.sizes.values().map(|size| size.rows).min()?;
        let columns = self.sizes.values().map(|size| size.columns).min()?;
        Some(Size { rows, columns }.clamped())
    }
}

impl Terminal {
    /// A terminal whose lines go to `log`, and the end of it for the program.
    pub fn open(log: OwnedFd) -> io::Result<(Self, OwnedFd)> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        unlockpt(&master)?;
        let slave = other_end(&master)?;
        set_size(&master, Size::USUAL)?;
        Ok((Self::of(master, Tell::Kernel, log)?, slave))
    }

    /// A terminal that somebody else has, whose lines go to `log`: the end for what is drawn there and typed here, and how
    /// large it is to be.
    pub fn elsewhere(log: OwnedFd) -> io::Result<(Self, OwnedFd, watch::Receiver<Size>)> {
        let (own, other) = UnixStream::pair()?;
        let (tell, sizes) = watch::channel(Size::USUAL);
        Ok((Self::of(own.into(), Tell::Others(tell), log)?, other.into(), sizes))
    }

    fn of(master: OwnedFd, tell: Tell, log: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&master, true)?;
        let log = pipe::Sender::from_owned_fd(log)?;
        let screen = vt100::Parser::new(Size::USUAL.rows, Size::USUAL.columns, 0);
        let shown = Shown { screen, size: Size::USUAL, sizes: BTreeMap::new(), next: 0 };
        #[expect(deprecated, reason = "the other way is unsafe; a descriptor that is owned is never another")]
        let master = AsyncFd::new(master)?;
        let shared = Arc::new(Shared { master, tell, shown: Mutex::new(shown) });
        let (sender, output) = broadcast::channel(WAITING);
        tokio::spawn(watch(shared.clone(), sender, log));
        Ok(Self { shared, output: Arc::new(output) })
    }

    /// Attaches somebody whose own terminal has this size, where it is one.
    pub fn attach(&self, size: Option<Size>) -> Attached {
        let mut shown = self.shared.lock();
        let number = shown.next;
        shown.next += 1;
        let mut attached =
            Attached { shared: self.shared.clone(), number, output: self.output.resubscribe(), first: None };
        if let Some(size) = size {
            shown.sizes.insert(number, size);
            attached.shared.fit(&mut shown);
        }
        attached.first = Some(shown.screen.screen().state_formatted().into());
        drop(shown);
        attached
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes on the size that is wanted. The kernel tells the program (SIGWINCH).
    fn fit(&self, shown: &mut Shown) {
        let Some(size) = shown.wanted().filter(|size| *size != shown.size) else { return };
        let is_told = match &self.tell {
            Tell::Kernel => set_size(&self.master, size).is_ok(),
            Tell::Others(others) => others.send(size).is_ok(),
        };
        if is_told {
            shown.size = size;
            let resized = catch_unwind(AssertUnwindSafe(|| {
                shown.screen.screen_mut().set_size(size.rows, size.columns);
            }));
            if resized.is_err() {
                shown.screen = vt100::Parser::new(size.rows, size.columns, 0);
            }
        }
    }

    async fn write(&self, mut typed: &[u8]) -> io::Result<()> {
        while !typed.is_empty() {
            let mut guard = self.master.writable().await?;
            match guard.try_io(|master| Ok(rustix::io::write(master, typed)?)) {
                Ok(Ok(count)) => typed = &typed[count..],
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Err(error),
                Err(_would_block) => {}
            }
        }
        Ok(())
    }
}

/// Somebody who looks at a terminal and types.
pub struct Attached {
    shared: Arc<Shared>,
    number: u64,
    output: broadcast::Receiver<Bytes>,
    /// What draws the screen as it was.
    first: Option<Bytes>,
}

impl fmt::Debug for Attached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Attached").field(&self.number).finish()
    }
}

impl Attached {
    /// What is to be drawn next; nothing once the program is gone. Nothing is lost where this is dropped.
    pub async fn drawn(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        match self.output.recv().await {
            Ok(drawn) => Some(drawn),
            Err(RecvError::Closed) => None,
            Err(RecvError::Lagged(_)) => {
                let shown = self.shared.lock();
                self.output = self.output.resubscribe();
                Some(shown.screen.screen().state_formatted().into())
            }
        }
    }

    /// For the half that types.
    pub fn typist(&self) -> Typist {
        Typist { shared: self.shared.clone(), number: self.number }
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        let mut shown = self.shared.lock();
        if shown.sizes.remove(&self.number).is_some() {
            self.shared.fit(&mut shown);
        }
    }
}

/// Types, and says how large the terminal is that it is seen in.
pub struct Typist {
    shared: Arc<Shared>,
    number: u64,
}

impl Typist {
    /// Types something; an error where nobody reads it any more.
    pub async fn write(&self, typed: &[u8]) -> io::Result<()> {
        self.shared.write(typed).await
    }

    /// It is seen in another size from now on.
    pub fn resize(&self, size: Size) {
        let mut shown = self.shared.lock();
        shown.sizes.insert(self.number, size);
        self.shared.fit(&mut shown);
    }
}

/// Reads what is drawn until nobody can draw any more.
async fn watch(shared: Arc<Shared>, output: broadcast::Sender<Bytes>, mut log: pipe::Sender) {
    let (mut buffer, mut plain) = (vec![0; PIECE], Plain::default());
    while let Ok(mut guard) = shared.master.readable().await {
        let drawn = match guard.try_io(|master| Ok(rustix::io::read(master, buffer.as_mut_slice())?)) {
            Ok(Ok(0)) => break,
            Ok(Ok(count)) => &buffer[..count],
            Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => continue,
            // EIO: nobody has the other end.
            Ok(Err(_)) => break,
            Err(_would_block) => continue,
        };
        {
            let mut shown = shared.lock();
            shown.draw(drawn);
            let _ = output.send(Bytes::copy_from_slice(drawn));
        }
        let lines = plain.lines(drawn);
        if !lines.is_empty() && log.write_all(lines.as_bytes()).await.is_err() {
            break;
        }
    }
    let _ = log.write_all(plain.finish().as_bytes()).await;
}

fn set_size(master: impl std::os::fd::AsFd, size: Size) -> Result<(), Errno> {
    tcsetwinsize(master, Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 })
}

/// By the first one itself: in whatever file system a path would be looked up, it may be another's.
#[cfg(target_os = "linux")]
fn other_end(master: &OwnedFd) -> io::Result<OwnedFd> {
    Ok(rustix::pty::ioctl_tiocgptpeer(master, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?)
}

#[cfg(not(target_os = "linux"))]
fn other_end(master: &OwnedFd) -> io::Result<OwnedFd> {
    use rustix::fs::{Mode, OFlags, open};
    rustix::pty::grantpt(master)?;
    let path = rustix::pty::ptsname(master, Vec::new())?;
    Ok(open(path, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?)
}
