//! Waiting for an answer's head on a connection to a callee, and what may be done where none comes.

use std::io;

use super::head::Fault;
use crate::proxy::dial::Stream;
use crate::proxy::wire::Wire;

/// Why there is no head.
#[derive(Debug)]
pub enum Missing {
    /// Nothing came but this end of the connection.
    Nothing(io::Error),
    /// What came is none, or only the beginning of one.
    Wrong(Fault),
}

/// Reads until there is a head. `read` looks at what has come, and gives a head with its length, or `None` while it is
/// incomplete.
pub async fn head<T>(
    callee: &Wire<Stream>,
    mut read: impl FnMut(&[u8]) -> Result<Option<(usize, T)>, Fault>,
) -> Result<T, Missing> {
    loop {
        let has_begun = !callee.is_empty();
        if has_begun {
            let found = callee.take(|bytes| match read(bytes) {
                Ok(Some((length, head))) => (length, Ok(Some(head))),
                Ok(None) => (0, Ok(None)),
                Err(fault) => (0, Err(fault)),
            });
            match found {
                Ok(Some(head)) => return Ok(head),
                Ok(None) if callee.is_full() => return Err(Missing::Wrong(Fault::TooLarge)),
                Ok(None) => {}
                Err(fault) => return Err(Missing::Wrong(fault)),
            }
        }
        let error = match callee.fill().await {
            Ok(0) => io::Error::new(io::ErrorKind::UnexpectedEof, "it closed the connection"),
            Ok(_) => continue,
            Err(error) => error,
        };
        return Err(match has_begun {
            true => Missing::Wrong(Fault::Malformed("its head broke off")),
            false => Missing::Nothing(error),
        });
    }
}

/// Whether a request to which nothing came may be sent once more over another connection: one that never went out as a
/// whole, or one that does no more when it is done twice (RFC 9110 section 9.2.2).
pub fn may_be_sent_again(is_sent: bool, is_idempotent: bool) -> bool {
    !is_sent || is_idempotent
}
