//! What users see, in shapes and words that every face shares: text tables, JSON, the API and the dashboard.
//!
//! These structs are the wire format of the API and the `--json` contract: fields may be added, never renamed.

mod addresses;
pub mod delegate_tree;
mod delegation;
mod event;
mod explain;
mod log;
mod problems;
mod refused;
mod request;
pub mod routes;
mod service;
mod shift;
mod syntax;
mod table;
mod task;
mod tried;
mod wording;

pub use addresses::Hosts;
pub use delegate_tree::DelegateTree;
pub use delegation::story;
pub use event::Event;
pub use explain::{Blocker, Explanation};
pub use log::{LogLine, level};
pub use problems::{draw as draw_problems, located};
pub use refused::{Judge, Past, Refused};
pub use request::Request;
pub use service::{Port, Service, Usage, by_service, label};
pub use shift::{Shift, ShiftState};
pub use syntax::draw_syntax_error;
pub use table::{Align, Table};
pub use task::{Line as TaskLine, Source as TaskSource, Task, path_from, task_lines};
pub use tried::{Steering, Try, entrance};
pub use wording::{elapsed, lost_lines, news, reason, scaling, state_mark};
