//! Small machines against failure, each a type that takes `now` or a number instead of asking for it.

mod backoff;

pub use backoff::delay;
