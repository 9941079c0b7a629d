//! The proxy: every call between services passes here, so caller and callee are known without a line of code in them.
//!
//! One listener an edge tells the caller; the front door tells the callee by host name. Both serve connections alike. What a caller sees follows
//! the callee's availability: ready, it is connected; on its way or idle, the call waits; absent, the listener is
//! closed and the kernel refuses, so that `wait-for-it` learns the truth.

mod answer;
mod body;
mod bridge;
mod closing;
mod context;
mod copies;
mod detect;
pub mod dial;
pub mod door;
mod edge;
mod egress;
mod h1;
mod headers;
mod hello;
mod html;
pub mod http;
mod link;
mod listen;
mod pages;
mod plain;
mod pods;
mod pool;
mod relay;
mod reset;
pub mod routing;
mod server;
mod standard;
pub mod tcp;
mod tls;
mod together;
pub mod tunnel;
mod unreached;
mod unread;
mod upload;
mod way;
mod wire;

pub use server::{Entrance, start};
