//! What the services say and do: their output on disk, their requests in a ring.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the log store has files and a thread of its own"
)]

pub mod copies;
pub mod logs;
pub mod requests;
