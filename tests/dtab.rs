//! The language of routes: facts of finagle and linkerd 1, and what holds whatever is written.

mod conformance;
mod delegation;
pub mod fixture;
mod limits;
mod namers;
mod problems;
mod random;
mod shares;
