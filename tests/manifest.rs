//! The manifest: every key, every problem, from text in memory.

mod containers;
mod matrix;
mod network;
mod probes;
mod problems;
mod remotes;
mod templates;
mod tried;
mod workspace;
