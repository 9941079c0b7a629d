//! Small machines against failure, each a type that takes `now` or a number instead of asking for it.

mod backoff;
mod balance;

pub use backoff::delay;
pub use balance::two_choices;
