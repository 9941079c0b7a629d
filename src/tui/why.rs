//! Why a service is not ready: the chain of those that hold it up, what it was asked last, its last lines, what is next.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

use super::app::App;
use super::keys::{Action, Place};
use super::mouse::{Spot, row_of};
use super::text::{clean, wrap};
use crate::supervise::State;
use crate::view::{Blocker, Explanation, lost_lines, state_mark};

/// The page: what is known, and which of the chain is selected.
#[derive(Debug, Default)]
pub struct Why {
    of: String,
    told: Option<Result<Explanation, String>>,
    /// 0 is the service itself.
    selected: usize,
}

impl Why {
    /// Takes in what the engine says.
    pub fn told(&mut self, of: String, told: Result<Explanation, String>) {
        if self.of != of {
            self.selected = 0;
        }
        let blockers = told.as_ref().map_or(0, |why| why.blockers.len());
        self.selected = self.selected.min(blockers);
        (self.of, self.told) = (of, Some(told));
    }

    /// Moves along the chain.
    pub fn go(&mut self, by: isize) {
        self.selected = self.selected.saturating_add_signed(by).min(self.blockers().len());
    }

    /// The place of what is selected; 0 is the service itself.
    pub fn selected(&self) -> usize {
        self.selected
    }

    /// The service that is selected, where it is not the one that is explained.
    pub fn subject(&self) -> Option<&str> {
        let place = self.selected.checked_sub(1)?;
        self.blockers().get(place).map(|blocker| blocker.service.as_str())
    }

    fn blockers(&self) -> &[Blocker] {
        match &self.told {
            Some(Ok(why)) => &why.blockers,
            _ => &[],
        }
    }
}

/// Paints it.
pub fn draw(app: &mut App, frame: &mut Frame<'_>, area: Rect, name: &str) {
    let block = Block::bordered().title(Span::styled(format!(" why {name} "), app.theme.title()));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let width = usize::from(inner.width);
    let lines = match &app.why.told {
        Some(_) | None if app.why.of != name => vec![Line::styled("asking", app.theme.faint())],
        None => vec![Line::styled("asking", app.theme.faint())],
        Some(Err(error)) => vec![Line::styled(error.clone(), app.theme.bad())],
        Some(Ok(why)) => told(app, why, width),
    };
    // The lines of its log are at the end: they give way where there is no room.
    let shown = lines.into_iter().take(usize::from(inner.height)).collect::<Vec<_>>();
    frame.render_widget(Paragraph::new(shown), inner);
    if app.why.of == name {
        app.spots.add((0..=app.why.blockers().len()).map(|place| (row_of(inner, place), Spot::Row(place))));
    }
}

fn told(app: &App, why: &Explanation, width: usize) -> Vec<Line<'static>> {
    let theme = app.theme;
    let mut lines = Vec::new();
    let mut selectable = |at: usize, spans: Vec<Span<'static>>| {
        let line = Line::from(spans);
        lines.push(if at == app.why.selected { line.style(theme.selected(true)) } else { line });
    };
    let state = |state| Span::styled(format!("{} ", state_mark(state)), theme.state(state));
    selectable(0, vec![state(why.state), Span::raw(format!("{} {}", why.service, why.state.said()))]);
    for (at, blocker) in why.blockers.iter().enumerate() {
        let indent = "  ".repeat(at.min(8));
        let reason = blocker.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
        selectable(
            at + 1,
            vec![
                Span::styled(format!("{indent}↳ "), theme.faint()),
                state(blocker.state),
                Span::raw(format!("{} must be {}, ", blocker.service, blocker.condition)),
                Span::styled(blocker.state.said(), theme.state(blocker.state)),
                Span::raw(reason),
            ],
        );
    }
    let mut text = |text: &str, style| {
        lines.extend(wrap(&clean(text), width).into_iter().map(|row| Line::styled(row, style)));
    };
    text("", theme.faint());
    let plain = ratatui::style::Style::new();
    match &why.reason {
        Some(reason) => text(reason, theme.bad_of(why.state)),
        None if why.ready => text("nothing is in its way", plain),
        None if why.state == State::Stopped => {
            let start = app.keymap.first(Place::Why, Action::Start);
            text(&format!("nobody wants it to run; {start} starts it"), plain);
        }
        None => {}
    }
    if let Some(probe) = why.last_probe.as_ref().filter(|probe| !why.ready && why.reason.as_ref() != Some(probe)) {
        text(&format!("last probe: {probe}"), plain);
    }
    for refused in &why.refused {
        text(&format!("its call to {} was refused: {}", refused.to, refused.hint), plain);
    }
    for port in &why.silent_ports {
        text(&format!("its port {}: {}", port.name, port.finding), plain);
    }
    if let Some(lost) = lost_lines(why.lost_lines) {
        text(&lost, plain);
    }
    if let Some(next) = &why.next {
        text(next, plain);
    }
    facts(app, why, &mut text);
    if !why.last_lines.is_empty() {
        text("", plain);
        text(&format!("the last lines of {}", why.culprit().label()), theme.title());
        why.last_lines.iter().for_each(|line| text(line, plain));
    }
    lines
}

/// What is worth knowing of it besides: its instances, where it is found, and who needs it.
fn facts(app: &App, why: &Explanation, text: &mut impl FnMut(&str, ratatui::style::Style)) {
    let Some(group) = app.group(&why.service) else { return };
    for row in group.0.iter().filter(|_| group.0.len() > 1) {
        let pid = row.pid.map(|pid| format!(", pid {pid}")).unwrap_or_default();
        let reason = row.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
        text(&format!("#{} {}{pid}{reason}", row.instance, row.state.said()), app.theme.faint());
    }
    let Some(lead) = group.lead() else { return };
    for port in &lead.ports {
        let url = port.url.as_deref().unwrap_or("only in pods");
        text(&format!("port {} {}: {url}", port.port, port.name), app.theme.faint());
    }
    if !lead.needed_by.is_empty() {
        text(&format!("needed by {}", lead.needed_by.join(", ")), app.theme.faint());
    }
}
