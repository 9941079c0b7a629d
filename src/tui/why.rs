//! Why a service is not ready: the chain of those that hold it up, what it was asked last, its last lines, what is next.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};
use unicode_width::UnicodeWidthStr;

use super::app::App;
use super::draw::unknown;
use super::keys::{Action, Place};
use super::mouse::{Spot, row_of};
use super::text::{clean, wrap, wrap_words};
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
    let mut spots = Vec::new();
    let lines = match app.why.told.as_ref().filter(|_| app.why.of == name) {
        None => {
            vec![Line::styled(unknown(app, "asking"), app.theme.faint())]
        }
        // Why it does not answer is no news by then.
        Some(Err(_)) if app.gone.is_some() => vec![Line::styled(unknown(app, ""), app.theme.faint())],
        Some(Err(error)) => {
            wrap_words(error, width).into_iter().map(|row| Line::styled(row, app.theme.bad())).collect()
        }
        Some(Ok(why)) => {
            let mut lines = Vec::new();
            for (place, rows) in chain(app, why, width).into_iter().enumerate() {
                spots.extend((0..rows.len()).map(|row| (row_of(inner, lines.len() + row), Spot::Row(place))));
                lines.extend(rows);
            }
            lines.extend(told(app, why, width));
            let room = usize::from(inner.height).saturating_sub(lines.len());
            lines.extend(last_lines(app, why, width, room));
            lines
        }
    };
    frame.render_widget(Paragraph::new(lines), inner);
    app.spots.add(spots);
}

/// The service and those that hold it up, the rows of each. A reason that has no room behind its blocker is below it.
fn chain(app: &App, why: &Explanation, width: usize) -> Vec<Vec<Line<'static>>> {
    let theme = app.theme;
    let mark = |state| Span::styled(format!("{} ", state_mark(state)), theme.state(state));
    let own = Line::from(vec![mark(why.state), Span::raw(format!("{} {}", why.service, why.state.said()))]);
    let mut all = vec![vec![own]];
    for (at, blocker) in why.blockers.iter().enumerate() {
        let indent = "  ".repeat(at.min(8));
        let mut line = Line::from(vec![
            Span::styled(format!("{indent}↳ "), theme.faint()),
            mark(blocker.state),
            Span::raw(format!("{} must be {}, ", blocker.service, blocker.condition)),
            Span::styled(blocker.state.said(), theme.state(blocker.state)),
        ]);
        let mut below = Vec::new();
        if let Some(reason) = blocker.reason.as_deref().map(clean) {
            if line.width() + 2 + reason.width() <= width {
                line.push_span(format!(": {reason}"));
            } else {
                line.push_span(":");
                let indent = indent + "    ";
                let rows = wrap_words(&reason, width.saturating_sub(indent.len()));
                below = rows.into_iter().map(|row| Line::from(format!("{indent}{row}"))).collect();
            }
        }
        all.push([vec![line], below].concat());
    }
    if let Some(rows) = all.get_mut(app.why.selected) {
        rows.iter_mut().for_each(|row| row.style = theme.selected(true));
    }
    all
}

fn told(app: &App, why: &Explanation, width: usize) -> Vec<Line<'static>> {
    let theme = app.theme;
    let mut lines = Vec::new();
    let mut text = |text: &str, style| {
        lines.extend(wrap_words(&clean(text), width).into_iter().map(|row| Line::styled(row, style)));
    };
    text("", theme.faint());
    let plain = ratatui::style::Style::new();
    let (reason, next) = why.sentences();
    match &reason {
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
    if let Some(next) = &next {
        text(next, plain);
    }
    facts(app, why, &mut text);
    lines
}

/// The last lines of whoever is to blame, as many rows of them as there is room for: the newest say most.
fn last_lines(app: &App, why: &Explanation, width: usize, room: usize) -> Vec<Line<'static>> {
    let rows: Vec<String> = why.last_lines.iter().flat_map(|line| wrap(&clean(line), width)).collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let old = rows.len().saturating_sub(room.saturating_sub(2));
    let title = Line::styled(format!("the last lines of {}", why.culprit().label()), app.theme.title());
    [Line::default(), title].into_iter().chain(rows.into_iter().skip(old).map(Line::from)).collect()
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
