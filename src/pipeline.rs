//! Which tasks run when: a machine over a graph of tasks, and the record that decides whether one has to run at all.
//!
//! Nothing here runs, reads or waits. Names are found in `find`, the order of things in `machine`, what a result depends
//! on in `key`, and what was written by a task becomes whole lines in `lines`.

mod choose;
mod draw;
mod find;
mod keep;
mod key;
mod lines;
mod machine;
mod variables;

pub use choose::{Ranked, rank};
pub use draw::{Drawn, draw, draw_dot, draw_mermaid};
pub use find::{Candidate, Miss, find};
pub use keep::{Before, Keep, KeptJob, kept_jobs, key_part};
pub use key::{Change, Key, Output, OutputKind, Parts, Record, changes, hash_of};
pub use lines::Lines;
pub use machine::{Cause, Effect, End, Input, Machine, Node, Rules, State};
pub use variables::{inherited, variables, written};
