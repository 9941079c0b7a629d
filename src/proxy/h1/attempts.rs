//! The connections over which one call is tried, one after the other.

use std::io;
use std::time::Instant;

use crate::proxy::dial::Stream;
use crate::proxy::http::Caller;
use crate::proxy::pool::{Pool, Shelf};
use crate::proxy::wire::Wire;
use crate::route::Call;

/// The connections to the instance that a call goes to, or to those that take its place.
pub struct Attempts<'a> {
    pub pool: &'a Pool,
    pub caller: &'a Caller,
    /// When the call did.
    pub begun: Instant,
    pub place: Call,
    /// Where connections to that place are kept.
    pub shelf: Shelf,
}

impl Attempts<'_> {
    /// A kept connection, which the callee may have closed meanwhile, or a new one; and whether it was kept. Where the
    /// place cannot be connected to, `another` may put another one there and tell its shelf.
    pub async fn next(
        &mut self,
        mut another: impl FnMut(&mut Call) -> Option<Shelf>,
    ) -> io::Result<(Wire<Stream>, bool)> {
        loop {
            if let Some(wire) = self.shelf.take(self.begun) {
                return Ok((wire, true));
            }
            // Most calls never come here: in a place of its own it takes no room of theirs.
            match Box::pin(self.pool.dial_wire(self.place.location(), self.caller)).await {
                Ok(wire) => return Ok((wire, false)),
                Err(error) => match another(&mut self.place) {
                    Some(shelf) => self.shelf = shelf,
                    None => return Err(error),
                },
            }
        }
    }
}
