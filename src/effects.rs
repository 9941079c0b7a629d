//! The outside world: one effect each, carried out and reported as a fact.
//!
//! Clock, files, environment, sockets, processes: whatever can surprise us is here, and the lints keep it out of
//! every module below.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is the one folder that touches the outside world"
)]

mod accounts;
pub mod alarm;
pub mod authority;
pub mod bundle;
pub mod cache;
pub mod changes;
pub mod clock;
pub mod containers;
pub mod copies;
pub mod data;
pub mod descriptors;
pub mod disco;
pub mod doctor;
mod ears;
pub mod environment;
pub mod etc;
pub mod feed;
pub mod flows;
pub mod fs;
mod git;
mod gitignore;
pub mod globs;
mod helpers;
mod host;
pub mod inputs;
pub mod ledger;
#[cfg(target_os = "linux")]
mod listeners;
#[cfg(not(target_os = "linux"))]
#[path = "effects/listeners_portable.rs"]
mod listeners;
pub mod locks;
pub mod look;
#[cfg(target_os = "linux")]
pub mod notice;
#[cfg(not(target_os = "linux"))]
#[path = "effects/notice_portable.rs"]
pub mod notice;
mod notify;
pub mod places;
pub mod pods;
pub mod ports;
mod probe;
mod process;
pub mod programs;
pub mod ranges;
pub mod registry;
pub mod roots;
mod setup;
pub mod snapshots;
pub mod standard_input;
pub mod standard_ports;
pub mod stats;
pub mod stores;
#[cfg(target_os = "linux")]
pub mod survivors;
#[cfg(not(target_os = "linux"))]
#[path = "effects/survivors_portable.rs"]
pub mod survivors;
pub mod terminal;
mod texts;
pub mod tree;
pub mod trial;
pub mod tries;
pub mod trust;
mod twins;
pub mod watch;
pub mod worktree;

pub use ears::Unheard;
pub use host::{Dialled, Host, KEPT, KeptOrder, Typed, Whereabouts};
pub use process::{Owner, alive, describe, end_groups, kill, signal, start_time, state, wait};
