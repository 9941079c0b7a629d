//! What several test modules share.

pub mod manifest;
pub mod sandbox;
