//! The manifest: every key, every problem, from text in memory.

mod network;
mod problems;
mod remotes;
mod tried;
mod workspace;
