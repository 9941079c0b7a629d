//! How a run of tasks tells what became of each: whoever reads its lines knows them by these words.

/// Before how long it took.
pub const DONE: &str = "done in ";
/// Its result was there already.
pub const EARLIER: &str = "from an earlier run";
/// Before its code.
pub const FAILED: &str = "failed with ";
/// Somebody ended it.
pub const STOPPED: &str = "stopped after ";
/// Before why.
pub const SKIPPED: &str = "not run";
