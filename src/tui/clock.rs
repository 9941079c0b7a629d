//! Times as whoever looks has them.

use jiff::{Timestamp, Zoned};

use super::app::App;

impl App {
    /// A time by their clock.
    pub(super) fn local(&self, at: Timestamp) -> Zoned {
        at.to_zoned(self.zone.clone())
    }
}
