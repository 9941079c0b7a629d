//! The proxy: every call between services passes here, so caller and callee are known without a line of code in them.
//!
//! One listener an edge tells the caller; the front door tells the callee by host name. What a caller sees follows
//! the callee's availability: ready, it is connected; on its way or idle, the call waits; absent, the listener is
//! closed and the kernel refuses, so that `wait-for-it` learns the truth.

mod answer;
mod body;
mod detect;
mod door;
mod edge;
mod headers;
mod html;
mod http;
mod pages;
mod pool;
mod server;
mod standard;
mod tcp;
mod tls;
mod tunnel;

pub use server::{Entrance, start};
