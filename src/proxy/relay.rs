//! Bytes both ways: TCP, and what a connection becomes after an upgrade.

use std::io;

use super::wire::{Io, Wire};

/// Passes bytes on until both sides have ended. One side's end is passed on and leaves the other direction open: there
/// are protocols in which the end of the request is the request's end. An error ends both at once, by a reset: what broke
/// off must not look like an orderly end on the other side.
pub async fn join<A: Io, B: Io>(one: &Wire<A>, other: &Wire<B>) -> io::Result<()> {
    let ended = tokio::try_join!(one_way(one, other), one_way(other, one));
    if ended.is_err() {
        one.reset();
        other.reset();
    }
    ended.map(|_| ())
}

async fn one_way<A: Io, B: Io>(from: &Wire<A>, to: &Wire<B>) -> io::Result<()> {
    let spare = from.spare().clone();
    loop {
        if from.is_empty() && from.fill().await? == 0 {
            return to.shutdown().await;
        }
        // Only what is being written is held.
        let mut text = spare.text();
        from.take(|bytes| {
            text.bytes.extend_from_slice(bytes);
            (bytes.len(), ())
        });
        to.write_all(&text.bytes).await?;
    }
}
