//! What users see, in shapes and words that every face shares: text tables, JSON, the API and the dashboard.
//!
//! These structs are the wire format of the API and the `--json` contract: fields may be added, never renamed.

mod event;
mod explain;
mod log;
mod problems;
mod request;
mod service;
mod table;
mod wording;

pub use event::Event;
pub use explain::{Blocker, Explanation};
pub use log::{LogLine, level};
pub use problems::draw as draw_problems;
pub use request::Request;
pub use service::{Port, Service, Usage};
pub use table::{Align, Table};
pub use wording::{elapsed, lost_lines, reason, state_mark};
