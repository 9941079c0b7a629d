//! The engine's door for its clients: HTTP and JSON on a Unix socket, server-sent events for streams.
//!
//! The shapes are those of `view` and `runtime::handle`; both ends are this binary, and whoever else calls finds the
//! shapes of `--json`.

mod attach;
mod client;
mod concern;
mod kill;
mod mirrors;
pub mod namerd;
mod names;
mod remotes;
mod routes;
mod server;
mod shifts;
mod snapshots;
mod stirs;

pub use attach::{Attach, Drawn, Keys};
pub use client::{CallError, Client, Events};
pub use concern::Concern;
pub use remotes::Switched;
pub use routes::{Explain, Put};
pub use server::{Happened, Identity, serve};
