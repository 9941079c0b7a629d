//! Tasks of every runner: what is found in projects that were made for it, beside what is written down, and beside what
//! the runners themselves say.

mod command;
mod corpus;
mod cost;
mod exec;
mod fixtures;
mod init;
mod memory;
mod names;
mod oracle;
mod robust;
