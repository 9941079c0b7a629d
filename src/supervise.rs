//! The state machine of a workspace: what was asked, what happened and what time it is go in, what to do comes out.
//!
//! Nothing here waits, spawns or looks at a clock. A service that waits for another is a row in a table, not a parked
//! task; a deadline is a value in a phase, so there is no timer to cancel; and every report from outside carries the
//! incarnation it is about, so that news of a dead process cannot touch its successor. The peers that let many tasks
//! write such state have duplicate and wedged processes after restarts to show for it.

mod apply;
mod due;
mod input;
mod instance;
mod phase;
mod status;
mod why;
mod world;

pub use input::{
    Command, Demand, Effect, Exit, Fact, Hour, Incarnation, Input, Left, Moment, Said, SetupRun, Swept, Ticket, Weighed,
};
pub use phase::Want;
pub use status::{Event, News, Note, Reason, State, Status};
pub use why::{Blocker, Next, Scaling, Why};
pub use world::World;
