//! The readers: a file each, with the runner's row of the table.

pub mod just;
pub mod make;
mod make_expand;
pub mod npm;
