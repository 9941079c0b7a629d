//! What is typed to a container: at the terminal that its engine gave it, or into its input.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::pin::Pin;

use bollard::query_parameters::ResizeContainerTTYOptions;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf, pipe};
use tokio::sync::watch;

use super::engine::Engine;
use crate::effects::terminal::Size;

/// The engine's end of a container's input.
pub type Input = Pin<Box<dyn AsyncWrite + Send>>;

/// Where it comes from what is typed.
#[derive(Debug)]
pub enum Seat {
    /// Nobody types.
    Empty,
    /// A terminal here, of which this is the other end, and how large it is to be.
    Terminal(OwnedFd, watch::Receiver<Size>),
    /// A pipe.
    Pipe(OwnedFd),
}

/// Bytes passed on at once.
const PIECE: usize = 4 << 10;

/// What is typed, on its way to a container.
#[derive(Debug)]
pub enum Typing {
    Nothing,
    Keys(OwnedReadHalf, watch::Receiver<Size>),
    Piped(pipe::Receiver),
}

impl Seat {
    /// Takes it: what is typed, and where it is drawn, if it is.
    pub fn take(self) -> io::Result<(Typing, Option<OwnedWriteHalf>)> {
        match self {
            Self::Empty => Ok((Typing::Nothing, None)),
            Self::Terminal(end, sizes) => {
                let stream = StdStream::from(end);
                stream.set_nonblocking(true)?;
                let (keys, screen) = UnixStream::from_std(stream)?.into_split();
                Ok((Typing::Keys(keys, sizes), Some(screen)))
            }
            Self::Pipe(end) => Ok((Typing::Piped(pipe::Receiver::from_owned_fd(end)?), None)),
        }
    }
}

impl Typing {
    /// Whether anything may be typed.
    pub fn is_open(&self) -> bool {
        !matches!(self, Self::Nothing)
    }

    /// Passes it on for as long as this is wanted.
    pub async fn pass_on(self, engine: Engine, container: String, input: Input) {
        match self {
            Self::Nothing => {}
            Self::Piped(from) => pass(from, input).await,
            Self::Keys(keys, sizes) => drop(tokio::join!(pass(keys, input), follow(sizes, engine, container))),
        }
        std::future::pending().await
    }
}

/// When nobody can type any more the input stays open, as a container's does whose client goes.
async fn pass(mut from: impl AsyncRead + Unpin, mut input: Input) {
    let mut typed = vec![0; PIECE];
    while let Ok(count @ 1..) = from.read(&mut typed).await {
        let passed = async {
            input.write_all(&typed[..count]).await?;
            input.flush().await
        };
        if passed.await.is_err() {
            return;
        }
    }
    std::future::pending::<()>().await;
}

/// Has the terminal in the container be as large as the one here.
async fn follow(mut sizes: watch::Receiver<Size>, engine: Engine, container: String) {
    loop {
        let Size { rows, columns } = *sizes.borrow_and_update();
        let options = ResizeContainerTTYOptions { h: rows.into(), w: columns.into() };
        // It may have ended meanwhile.
        let _ = engine.docker.resize_container_tty(&container, options).await;
        if sizes.changed().await.is_err() {
            return;
        }
    }
}
