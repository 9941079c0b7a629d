//! The manifest: every key, every problem, from text in memory.

mod containers;
mod matrix;
mod network;
mod problems;
mod remotes;
mod tried;
mod workspace;
