//! The launcher: a small single-threaded process that forks every instance on the engine's orders.
//!
//! Three traps are avoided at once by not forking in the engine: fork in a threaded program, parent-death signals
//! that are tied to the thread that forked, and a child that starts with a copy of a large process. It adopts what
//! instances leave behind (it is their subreaper), so it knows when the last process of an instance is gone; and
//! when the engine's end of its socket closes, for whatever reason, it kills all that it started and ends.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a process of its own, below all that could be asked for the outside world"
)]

mod client;
#[cfg(target_os = "linux")]
mod enter;
mod family;
mod fork;
mod line;
pub mod pod;
mod pods;
mod server;
mod spawn;
mod stock;
mod thrift;
mod wire;

pub use client::{Client, Input, Launch, Process, Report};
#[cfg(target_os = "linux")]
pub use enter::Entering;
pub use family::TOKEN;
pub use fork::{Forked, close_others, fork, leave};
pub use line::Line;
pub use server::serve;
pub use spawn::{Account, Seat};
pub use thrift::give_back;
