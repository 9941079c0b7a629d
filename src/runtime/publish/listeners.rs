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

/// The listeners of a table to be: those of the table before, and new ones.
pub struct Listeners {
    pub before: Arc<Table>,
    pub taken: Taken,
    pub notices: Vec<String>,
}

impl Listeners {
    /// Those that follow the ones of a table.
    pub fn after(before: Arc<Table>) -> Self {
        Self { before, taken: Taken::default(), notices: Vec::new() }
    }

    /// The listener at an address that was given to the engine.
    pub fn own(&mut self, at: SocketAddrV4) -> Socket {
        self.before.socket(at).unwrap_or_else(|| match ports::listen(at) {
            Ok(listener) => Socket::new(listener),
            Err(error) => {
                self.notices.push(match error.kind() {
                    // Whoever listens on all addresses has this one too.
                    io::ErrorKind::AddrInUse => format!(
                        "no listener on {at}, so calls there fail: {}; end that, or have it listen on 127.0.0.1 alone",
                        ports::taken_message(at.port())
                    ),
                    _ => format!("no listener on {at}: {error}"),
                });
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
