//! The proxy by itself, between raw sockets: no engine, no processes.

mod abuse;
mod answers;
mod apart;
mod bodies;
mod circles;
mod city;
mod door;
mod ends;
mod given_up;
mod http2;
mod identifiers;
mod lab;
mod one_at_a_time;
mod oracle;
mod permits;
mod refused;
mod replicas;
mod resets;
mod routes;
mod shared;
mod shares;
mod tunnels;
