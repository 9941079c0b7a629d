//! The manifest: every key, every problem, from text in memory.

mod network;
mod problems;
mod tried;
mod workspace;
