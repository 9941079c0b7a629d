//! The real binary with real processes, as this account and as an unprivileged one.

mod accounts;
mod boot;
mod containers;
mod crash;
mod demo;
mod doctor;
mod door;
mod external;
mod faults;
mod json;
mod logs;
mod namerd;
mod names;
mod overrides;
mod owner;
mod peers;
mod pods;
mod routes;
mod probes;
mod surroundings;
mod terminal;
mod tour;
mod traffic;
mod trust;
mod words;
