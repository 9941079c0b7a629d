//! What several test modules share.

pub mod left;
pub mod manifest;
mod running;
pub mod sandbox;
pub mod server;
