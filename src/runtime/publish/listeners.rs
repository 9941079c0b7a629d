//! The listeners of a table to be, and numbers that could not be had.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::SocketAddrV4;
use std::sync::Arc;

use crate::effects::ports::{self, Unheard};
use crate::plan::PlannedPublish;
use crate::route::{Socket, Table, on_loopback};

/// Published numbers that are not ours, each with the reason.
pub type Taken = HashMap<u16, Missing>;

/// A published number that could not be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    pub service: Arc<str>,
    pub number: u16,
    /// By the manifest; else it is production's number, which nobody asked for.
    pub is_chosen: bool,
    pub why: Unheard,
}

impl Missing {
    /// Whether somebody has it, who may let go of it.
    pub fn is_waited_for(&self) -> bool {
        self.is_chosen && matches!(self.why, Unheard::Taken(_))
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} is not published on port {}: {}", self.service, self.number, self.why)?;
        if self.is_waited_for() { write!(out, "; it will be once that is free") } else { Ok(()) }
    }
}

/// An address at which callers were to find a service, and that somebody else has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deaf {
    pub at: SocketAddrV4,
    /// Whose calls fail, and to whom they are; none of the front door.
    pub between: Option<(Arc<str>, Arc<str>)>,
    pub why: String,
}

impl fmt::Display for Deaf {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, between, why } = self;
        match between {
            Some((from, to)) => write!(out, "no listener on {at}, so calls of {from} to {to} fail: {why}")?,
            None => write!(out, "no listener on {at}, so calls there fail: {why}")?,
        }
        out.write_str("; end that, or have it listen on 127.0.0.1 alone: then it is listened there")
    }
}

/// The listeners of a table to be: those of the table before, and new ones.
pub struct Listeners {
    pub before: Arc<Table>,
    pub taken: Taken,
    pub deaf: Vec<Deaf>,
    pub notices: Vec<String>,
}

impl Listeners {
    /// Those that follow the ones of a table.
    pub fn after(before: Arc<Table>) -> Self {
        Self { before, taken: Taken::default(), deaf: Vec::new(), notices: Vec::new() }
    }

    /// The listener at an address that was given to the engine, for calls between these two.
    pub fn own(&mut self, at: SocketAddrV4, between: Option<(Arc<str>, Arc<str>)>) -> Socket {
        let known = self.before.socket(at).filter(Socket::is_open);
        known.unwrap_or_else(|| match ports::listen(at) {
            Ok(listener) => Socket::new(listener),
            Err(error) => {
                match error.kind() {
                    // Whoever listens on all addresses has this one too.
                    io::ErrorKind::AddrInUse => {
                        let deaf = Deaf { at, between, why: ports::taken_message(at.port()) };
                        self.notices.push(deaf.to_string());
                        self.deaf.push(deaf);
                    }
                    _ => self.notices.push(format!("no listener on {at}: {error}")),
                }
                Socket::default()
            }
        })
    }

    /// The listener at a number that was chosen with `publish`, or is production's: others may have it, and the service
    /// runs all the same.
    pub fn published(&mut self, it: PlannedPublish, service: &Arc<str>) -> Option<Socket> {
        let number = it.host;
        if let Some(known) = self.before.socket(on_loopback(number)) {
            return Some(known);
        }
        match ports::listen_alone(number) {
            Ok(listener) => Some(Socket::new(listener)),
            Err(why) => {
                let missing = Missing { service: service.clone(), number, is_chosen: it.chosen, why };
                if it.chosen {
                    self.notices.push(missing.to_string());
                }
                self.taken.insert(number, missing);
                None
            }
        }
    }
}
