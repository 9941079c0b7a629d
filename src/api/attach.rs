//! The terminal of a service, from the engine to whoever attaches.
//!
//! The request is upgraded; then what is drawn comes as it is: nothing, of a program that has only an input. What goes the
//! other way is in frames: a byte that says what it is, a length of two bytes, the high one first, and so many bytes. 0 is
//! what is typed, 1 the size: rows and columns in two bytes each.

use std::io;

use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONNECTION, UPGRADE};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};

use super::server::Shared;
use crate::effects::feed::Feed;
use crate::effects::terminal::{Attached, Size, Typist};
use crate::runtime::{Ask, Attachment, Problem};

/// What is spoken after the upgrade.
pub(super) const PROTOCOL: &str = "nagaya-terminal";
/// The same where nothing is drawn: the program has an input and no terminal.
pub(super) const FEED: &str = "nagaya-input";
const TYPED: u8 = 0;
const SIZE: u8 = 1;

/// To which instance, and how large the terminal is that it is seen in; no size where it is none.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Attach {
    pub instance: u32,
    pub rows: Option<u16>,
    pub columns: Option<u16>,
}

pub(super) async fn attach(
    State(shared): State<Shared>,
    Path(service): Path<String>,
    Query(asked): Query<Attach>,
    request: Request,
) -> Result<Response, Problem> {
    let size = asked.rows.zip(asked.columns).map(|(rows, columns)| Size { rows, columns });
    let instance = asked.instance;
    let attached = shared.handle.ask(|reply| Ask::Attach { service, instance, size, reply }).await?;
    let protocol = if matches!(attached, Attachment::Feed(_)) { FEED } else { PROTOCOL };
    tokio::spawn(async move {
        match (hyper::upgrade::on(request).await, attached) {
            (Ok(upgraded), Attachment::Terminal(attached)) => serve(upgraded, attached).await,
            (Ok(upgraded), Attachment::Feed(feed)) => serve_feed(upgraded, feed).await,
            (Err(_), _) => {}
        }
    });
    let headers = [(CONNECTION, "Upgrade"), (UPGRADE, protocol)];
    Ok((StatusCode::SWITCHING_PROTOCOLS, headers).into_response())
}

/// Until the program is gone, or whoever is attached.
async fn serve(upgraded: Upgraded, mut attached: Attached) {
    let (mut from, mut to) = tokio::io::split(TokioIo::new(upgraded));
    let typist = attached.typist();
    let typing = async { while type_on(&mut from, &typist).await.is_ok() {} };
    let drawing = async {
        while let Some(drawn) = attached.drawn().await {
            if to.write_all(&drawn).await.is_err() {
                return;
            }
        }
        let _ = to.shutdown().await;
    };
    tokio::select! {
        () = typing => {}
        () = drawing => {}
    }
}

/// Until nobody reads any more, or nobody types.
async fn serve_feed(upgraded: Upgraded, feed: Feed) {
    let (mut from, mut to) = tokio::io::split(TokioIo::new(upgraded));
    let typing = async {
        while let Ok((TYPED, typed)) = frame(&mut from).await
            && feed.write(&typed).await.is_ok()
        {}
    };
    tokio::select! {
        () = typing => {}
        () = feed.closed() => {}
    }
    let _ = to.shutdown().await;
}

/// What came, and what it is.
async fn frame(from: &mut (impl AsyncRead + Unpin)) -> io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 3];
    from.read_exact(&mut head).await?;
    let [kind, high, low] = head;
    let mut body = vec![0; usize::from(u16::from_be_bytes([high, low]))];
    from.read_exact(&mut body).await?;
    Ok((kind, body))
}

async fn type_on(from: &mut (impl AsyncRead + Unpin), typist: &Typist) -> io::Result<()> {
    let (kind, body) = frame(from).await?;
    match (kind, body.as_slice()) {
        (TYPED, typed) => typist.write(typed).await,
        (SIZE, &[a, b, c, d]) => {
            typist.resize(Size { rows: u16::from_be_bytes([a, b]), columns: u16::from_be_bytes([c, d]) });
            Ok(())
        }
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// The drawing half of a terminal.
pub struct Drawn(ReadHalf<TokioIo<Upgraded>>);

/// The typing half.
pub struct Keys(WriteHalf<TokioIo<Upgraded>>);

/// Both halves of a connection that was upgraded.
pub(super) fn halves(upgraded: Upgraded) -> (Drawn, Keys) {
    let (from, to) = tokio::io::split(TokioIo::new(upgraded));
    (Drawn(from), Keys(to))
}

impl Drawn {
    /// What was drawn; nothing at the end.
    pub async fn next(&mut self, buffer: &mut [u8]) -> usize {
        self.0.read(buffer).await.unwrap_or(0)
    }
}

impl Keys {
    /// Types something.
    pub async fn write(&mut self, typed: &[u8]) -> io::Result<()> {
        for piece in typed.chunks(usize::from(u16::MAX)) {
            self.frame(TYPED, piece).await?;
        }
        Ok(())
    }

    /// Tells the size of the terminal here.
    pub async fn resize(&mut self, size: Size) -> io::Result<()> {
        let [a, b] = size.rows.to_be_bytes();
        let [c, d] = size.columns.to_be_bytes();
        self.frame(SIZE, &[a, b, c, d]).await
    }

    async fn frame(&mut self, kind: u8, body: &[u8]) -> io::Result<()> {
        let length = u16::try_from(body.len()).map_err(io::Error::other)?.to_be_bytes();
        let frame = [&[kind, length[0], length[1]], body].concat();
        self.0.write_all(&frame).await?;
        self.0.flush().await
    }
}
