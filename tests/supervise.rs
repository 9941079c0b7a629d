//! The state machine, step by step: no clock, no process.

mod agenda;
mod apply;
mod budget;
mod cascade;
mod external;
pub mod fixture;
mod idle;
mod instances;
mod load;
mod order;
mod probes;
mod random;
mod readiness;
mod restart;
mod setup;
mod stop;
