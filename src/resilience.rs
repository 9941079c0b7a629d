//! Small machines against failure, each a type that takes `now` or a number instead of asking for it.

mod backoff;
mod balance;
pub mod compare;
pub mod compat;
mod scaler;

mod shift;

pub use backoff::delay;
pub use balance::two_choices;
pub use scaler::Scaler;
pub use shift::{Course, Lack, Limits, Reason, Served, Shift, Verdict};
