//! What several test modules share.

pub mod left;
pub mod manifest;
pub mod sandbox;
