//! Small machines against failure, each a type that takes `now` or a number instead of asking for it.

mod backoff;
mod balance;
pub mod compare;
mod shift;

pub use backoff::delay;
pub use balance::two_choices;
pub use shift::{Course, Limits, Reason, Served, Shift, Verdict};
