//! What the services say and do: their output on disk, their requests in a ring.

pub mod logs;
pub mod requests;
