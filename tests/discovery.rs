//! The DNS server over real sockets, with servers of the host's made up.

mod connections;
mod fixture;
mod forwarding;
mod malformed;
mod names;
