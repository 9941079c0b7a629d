//! The manifest: every key, every problem, from text in memory.

mod problems;
mod workspace;
