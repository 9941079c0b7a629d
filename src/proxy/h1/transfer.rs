//! A body on its way from one connection to another.

use std::io;

use super::framing::{Decoder, Encoder, Framing, Malformed};
use crate::proxy::copies::Tee;
use crate::proxy::wire::{Io, Wire};

/// So much is put together before it is written.
const PIECE: usize = 64 << 10;

/// Where a transfer broke.
#[derive(Debug)]
pub enum Broken {
    /// The side that sends the body went away, or sent something else.
    From(io::Error),
    /// The side that receives it.
    To(io::Error),
}

impl From<Malformed> for Broken {
    fn from(malformed: Malformed) -> Self {
        Self::From(io::Error::new(io::ErrorKind::InvalidData, malformed))
    }
}

/// The rest of a body.
pub struct Transfer {
    decoder: Decoder,
    encoder: Encoder,
    is_ended: bool,
    /// Sees it as well.
    tee: Option<Tee>,
}

impl Transfer {
    pub fn new(framing: Framing, encoder: Encoder) -> Self {
        Self { decoder: Decoder::new(framing), encoder, is_ended: false, tee: None }
    }

    /// The same, seen by another one as well.
    pub fn seen_by(self, tee: Option<Tee>) -> Self {
        Self { tee, ..self }
    }

    /// Everything of the body has been taken, its end included.
    pub fn is_done(&self) -> bool {
        self.is_ended
    }

    /// Takes what has been read of the body.
    pub fn take<S: Io>(&mut self, from: &Wire<S>, out: &mut Vec<u8>) -> Result<(), Malformed> {
        if !self.decoder.is_done() {
            from.take(|bytes| {
                let (encoder, tee) = (&mut self.encoder, &self.tee);
                let decoded = self.decoder.decode(bytes, |data| {
                    tee.iter().for_each(|tee| tee.data(data));
                    encoder.data(data, out);
                });
                decoded.map_or_else(|malformed| (0, Err(malformed)), |used| (used, Ok(())))
            })?;
        }
        if self.decoder.is_done() && !self.is_ended {
            self.is_ended = true;
            self.tee.iter().for_each(Tee::end);
            self.encoder.end(self.decoder.trailers(), out);
        }
        Ok(())
    }

    /// Writes `out` and then the rest of the body. No more is read before what was read is written: a slow reader
    /// slows its writer down.
    pub async fn run<A: Io, B: Io>(&mut self, from: &Wire<A>, to: &Wire<B>, out: &mut Vec<u8>) -> Result<(), Broken> {
        loop {
            if !self.is_ended && out.len() < PIECE {
                self.take(from, out)?;
            }
            if !out.is_empty() {
                to.write_all(out).await.map_err(Broken::To)?;
                out.clear();
            }
            if self.is_ended {
                return Ok(());
            }
            if from.is_empty() && from.fill().await.map_err(Broken::From)? == 0 && !self.decoder.end() {
                return Err(Broken::From(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }
}
