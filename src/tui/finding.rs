//! Services found by a part of their names: those that the table shows, and the selected one among them.

use super::app::App;
use super::services::Group;

impl App {
    /// The places, among all services, of those that the table shows.
    pub(super) fn shown_services(&self) -> Vec<usize> {
        let wanted = self.finding.to_lowercase();
        let is_shown = |group: &Group<'_>| wanted.is_empty() || group.name().to_lowercase().contains(&wanted);
        self.groups().iter().enumerate().filter(|(_, group)| is_shown(group)).map(|(place, _)| place).collect()
    }

    /// Shows the services that have this in their names, the selected one among them.
    pub(super) fn find_services(&mut self, text: &str) {
        text.clone_into(&mut self.finding);
        self.stay_shown();
    }

    /// Selects one that is shown, where there is one.
    pub(super) fn stay_shown(&mut self) {
        let shown = self.shown_services();
        if !shown.contains(&self.selected) {
            self.selected = shown.first().copied().unwrap_or(self.selected);
        }
    }

    /// Where the selected service is among those that are shown, where it is one of them.
    pub(super) fn place_shown(&self) -> Option<usize> {
        self.shown_services().iter().position(|place| *place == self.selected)
    }

    /// Selects another service, whichever pane keys go to.
    pub(super) fn go_services(&mut self, by: isize) {
        let shown = self.shown_services();
        let here = shown.partition_point(|place| *place < self.selected);
        let to = here.saturating_add_signed(by).min(shown.len().saturating_sub(1));
        self.selected = shown.get(to).copied().unwrap_or(self.selected);
    }

    /// Selects a service of all; the table shows all again where it would not be seen.
    pub(super) fn select_service(&mut self, place: usize) {
        self.selected = place;
        if self.place_shown().is_none() {
            self.finding.clear();
        }
    }
}
