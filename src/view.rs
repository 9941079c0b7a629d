//! What users see, in shapes and words that every face shares: text tables, JSON, the API and the dashboard.
//!
//! These structs are the wire format of the API and the `--json` contract: fields may be added, never renamed.

mod addresses;
pub mod delegate_tree;
mod delegation;
mod event;
mod explain;
mod graph;
mod log;
pub mod matrix;
mod mirror;
mod naming;
mod numbers;
mod observed;
mod problems;
pub mod ran;
mod refused;
mod remote;
mod request;
pub mod routes;
pub mod rules;
mod service;
mod shift;
mod syntax;
mod table;
mod task;
mod traffic;
mod tried;
mod waterfall;
mod wording;
pub mod xml;

pub use addresses::Hosts;
pub use delegate_tree::DelegateTree;
pub use delegation::story;
pub use event::Event;
pub use explain::{Blocker, Culprit, Explanation, SilentPort, Unpublished, Unwell};
pub use graph::{Edge, Graph, Node};
pub use log::{LogLine, level};
pub use mirror::Mirror;
pub use naming::Naming;
pub use numbers::{millis, percent, rate};
pub use observed::Observed;
pub use problems::{draw as draw_problems, located};
pub use refused::{Judge, Past, Refused};
pub use remote::{Remote, remotes};
pub use request::{Request, withheld};
pub use service::{Port, Service, Usage, by_service, label};
pub use shift::{Shift, ShiftState};
pub use syntax::draw_syntax_error;
pub use table::{Align, Table};
pub use task::{Line as TaskLine, Source as TaskSource, Task, path_from, plain, task_lines};
pub use traffic::{EdgeId, Flow, Piece, Rates, Tally, Traffic, WINDOW, is_to};
pub use tried::{Steering, Try, entrance};
pub use waterfall::{Bar, waterfall};
pub use wording::{age, elapsed, listed, lost_lines, news, reason, scaling, state_mark};
