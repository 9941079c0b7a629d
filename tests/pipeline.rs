//! Running tasks: the machine against an oracle, the command as users call it, results that are kept, and what goes wrong.

mod cache;
mod command;
mod faults;
mod kept;
mod machine;
mod services;
mod terminal;
mod watched;
