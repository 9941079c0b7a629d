//! A stream with an inbox, used by both directions of one task at once, and the memory that they share.
//!
//! A connection that waits holds no memory for what may come: blocks are taken from a common store when something is
//! read and go back when it has been used.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The most that is read at once and waits to be used; a head must fit in.
pub const BLOCK: usize = 64 << 10;
/// How many blocks and texts are kept for the next connections.
const KEPT: usize = 64;

/// What a connection can be.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Makes the end a reset, where an orderly one would look like the end of an answer.
    fn reset(&self) {}

    /// Acknowledges what has come, at once.
    fn acknowledge(&self) {}
}

impl Io for TcpStream {
    fn reset(&self) {
        let _ = rustix::net::sockopt::set_socket_linger(self, Some(std::time::Duration::ZERO));
    }

    #[cfg(target_os = "linux")]
    fn acknowledge(&self) {
        let _ = rustix::net::sockopt::set_tcp_quickack(self, true);
    }
}

impl Io for tokio::io::DuplexStream {}

/// What an upgrade left: the connection below is hyper's.
impl Io for TokioIo<Upgraded> {}

impl<S: Io> Io for Rewound<S> {
    fn reset(&self) {
        self.stream.reset();
    }
}

/// Without a closing alert the end of TLS is no orderly one anyway; the socket is reset all the same.
impl Io for tokio_rustls::server::TlsStream<TcpStream> {
    fn reset(&self) {
        self.get_ref().0.reset();
    }
}

impl Io for super::dial::Stream {
    fn reset(&self) {
        match self {
            Self::Tcp(stream, _) => stream.reset(),
            Self::Tls(stream) => stream.get_ref().0.reset(),
        }
    }

    fn acknowledge(&self) {
        match self {
            Self::Tcp(stream, _) => stream.acknowledge(),
            Self::Tls(stream) => stream.get_ref().0.acknowledge(),
        }
    }
}

/// Memory for the next reads and writes of all connections.
#[derive(Clone, Default)]
pub struct Spare(Rc<RefCell<Stored>>);

#[derive(Default)]
struct Stored {
    blocks: Vec<Box<[u8]>>,
    texts: Vec<Vec<u8>>,
}

impl Spare {
    fn block(&self) -> Box<[u8]> {
        self.0.borrow_mut().blocks.pop().unwrap_or_else(|| vec![0; BLOCK].into())
    }

    fn give_block(&self, block: Box<[u8]>) {
        let blocks = &mut self.0.borrow_mut().blocks;
        if blocks.len() < KEPT {
            blocks.push(block);
        }
    }

    /// An empty text to write into.
    pub fn text(&self) -> Text {
        let bytes = self.0.borrow_mut().texts.pop().unwrap_or_default();
        Text { bytes, spare: self.clone() }
    }
}

/// Bytes that are going to be written; their memory goes back to the store.
pub struct Text {
    pub bytes: Vec<u8>,
    spare: Spare,
}

impl Drop for Text {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        let texts = &mut self.spare.0.borrow_mut().texts;
        if texts.len() < KEPT && bytes.capacity() <= 2 * BLOCK {
            bytes.clear();
            texts.push(bytes);
        }
    }
}

#[derive(Default)]
struct Inbox {
    block: Option<Box<[u8]>>,
    start: usize,
    end: usize,
}

/// A stream with what has been read from it and not used yet.
pub struct Wire<S> {
    stream: RefCell<S>,
    inbox: RefCell<Inbox>,
    spare: Spare,
}

impl<S: Io> Wire<S> {
    pub fn new(stream: S, spare: Spare) -> Self {
        Self { stream: RefCell::new(stream), inbox: RefCell::default(), spare }
    }

    /// The store of memory.
    pub fn spare(&self) -> &Spare {
        &self.spare
    }

    /// Looks at the stream itself.
    pub fn with<T>(&self, look: impl FnOnce(&mut S) -> T) -> T {
        look(&mut self.stream.borrow_mut())
    }

    /// Looks at what is there and says how much of it was used.
    pub fn take<T>(&self, look: impl FnOnce(&[u8]) -> (usize, T)) -> T {
        let mut inbox = self.inbox.borrow_mut();
        let (used, told) = match &inbox.block {
            Some(block) => look(&block[inbox.start..inbox.end]),
            None => look(&[]),
        };
        inbox.start += used.min(inbox.end - inbox.start);
        if inbox.start == inbox.end
            && let Some(block) = inbox.block.take()
        {
            self.spare.give_block(block);
        }
        told
    }

    pub fn is_empty(&self) -> bool {
        self.inbox.borrow().block.is_none()
    }

    /// Nothing more can be read before something is used.
    pub fn is_full(&self) -> bool {
        let inbox = self.inbox.borrow();
        inbox.block.is_some() && inbox.end - inbox.start == BLOCK
    }

    /// Reads more; 0 is the end. A wire that is full is `Pending` without being woken: use something first.
    pub fn poll_fill(&self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut inbox = self.inbox.borrow_mut();
        let Inbox { block: held, start, end } = &mut *inbox;
        let mut block = held.take().unwrap_or_else(|| {
            (*start, *end) = (0, 0);
            self.spare.block()
        });
        if *end == BLOCK {
            block.copy_within(*start.., 0);
            (*start, *end) = (0, *end - *start);
        }
        if *end == BLOCK {
            *held = Some(block);
            return Poll::Pending;
        }
        let mut into = ReadBuf::new(&mut block[*end..]);
        let polled = Pin::new(&mut *self.stream.borrow_mut()).poll_read(context, &mut into);
        let read = into.filled().len();
        *end += read;
        if *start == *end {
            self.spare.give_block(block);
        } else {
            *held = Some(block);
        }
        polled.map_ok(|()| read)
    }

    /// Reads more; 0 is the end.
    pub async fn fill(&self) -> io::Result<usize> {
        poll_fn(|context| self.poll_fill(context)).await
    }

    /// Writes all of it.
    pub async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        poll_fn(|context| {
            let mut stream = self.stream.borrow_mut();
            while !bytes.is_empty() {
                let written = ready!(Pin::new(&mut *stream).poll_write(context, bytes))?;
                if written == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                bytes = &bytes[written..];
            }
            Pin::new(&mut *stream).poll_flush(context)
        })
        .await
    }

    /// Nothing more will be written.
    pub async fn shutdown(&self) -> io::Result<()> {
        poll_fn(|context| Pin::new(&mut *self.stream.borrow_mut()).poll_shutdown(context)).await
    }

    /// Ends with a reset when it is dropped.
    pub fn reset(&self) {
        self.stream.borrow().reset();
    }

    /// Acknowledges what has come, at once.
    pub fn acknowledge(&self) {
        self.stream.borrow().acknowledge();
    }

    /// The stream again, for somebody else to begin where this one began to read.
    pub fn rewound(self) -> Rewound<S> {
        let Self { stream, inbox, spare } = self;
        let inbox = inbox.into_inner();
        let block = inbox.block.unwrap_or_default();
        let read = Bytes::copy_from_slice(&block[inbox.start.min(block.len())..inbox.end.min(block.len())]);
        if !block.is_empty() {
            spare.give_block(block);
        }
        Rewound { read, stream: stream.into_inner() }
    }
}

/// A stream that first gives again what had been read.
pub struct Rewound<S> {
    read: Bytes,
    stream: S,
}

impl<S: Io> AsyncRead for Rewound<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let rewound = self.get_mut();
        if !rewound.read.is_empty() {
            into.put_slice(&rewound.read.split_to(rewound.read.len().min(into.remaining())));
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut rewound.stream).poll_read(context, into)
    }
}

impl<S: Io> AsyncWrite for Rewound<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
