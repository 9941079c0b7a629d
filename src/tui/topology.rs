//! The topology: who calls whom, drawn where there is room and as a list where there is not.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};
use unicode_width::UnicodeWidthStr;

use super::app::App;
use super::draw::{beyond, unknown, window};
use super::mouse::{Spot, row_of};
use super::network::{Edge, How, Network, Node, Picture, Shown, drawn};
use super::text::{fit, fit_line};
use crate::view::{Graph, millis, percent, rate, state_mark};

/// More nodes than these are no picture any more.
const MOST: usize = 120;

/// The page.
#[derive(Debug, Default)]
pub struct Topology {
    pub graph: Graph,
    /// The name of the selected node.
    selected: Option<String>,
    /// As a list, also where there is room.
    as_list: bool,
    /// Why it could not be drawn when it was shown last.
    undrawn: Option<String>,
}

impl Topology {
    /// The selected one of these nodes: the first, where none was chosen yet.
    pub fn place(&self, network: &Network) -> usize {
        let chosen = self.selected.as_ref();
        chosen.and_then(|name| network.nodes.iter().position(|node| node.name == *name)).unwrap_or(0)
    }

    /// The selected service.
    pub fn subject(&self, network: &Network) -> Option<String> {
        network.nodes.get(self.place(network)).filter(|node| node.is_service).map(|node| node.name.clone())
    }

    /// As a list or drawn, in turn; why it cannot be drawn, where it cannot.
    pub fn toggle_list(&mut self) -> Option<String> {
        self.as_list = self.undrawn.is_none() && !self.as_list;
        self.undrawn.clone()
    }

    /// Goes to another node of the list.
    pub fn go(&mut self, network: &Network, by: isize) {
        let last = network.nodes.len().saturating_sub(1);
        let to = self.place(network).saturating_add_signed(by).min(last);
        self.selected = network.nodes.get(to).map(|node| node.name.clone());
    }

    /// Goes along an edge: to whom the selected one calls, or to who calls it.
    pub fn along(&mut self, network: &Network, forward: bool) {
        let here = self.place(network);
        let next = network.edges.iter().find_map(|edge| match forward {
            true => (edge.from == here).then_some(edge.to),
            false => (edge.to == here).then_some(edge.from),
        });
        if let Some(next) = next {
            self.selected = network.nodes.get(next).map(|node| node.name.clone());
        }
    }
}

/// Paints it.
pub fn draw(app: &mut App, frame: &mut Frame<'_>, area: Rect) {
    let network = Network::new(app);
    let selected = app.topology.place(&network);
    let about = about(app, &network, selected);
    let height = match network.nodes.is_empty() {
        // There is nobody to tell of.
        true => 0,
        false => u16::try_from(about.len()).unwrap_or(6).saturating_add(2).min(area.height / 2),
    };
    let [top, bottom] = Layout::vertical([Constraint::Min(3), Constraint::Length(height)]).areas(area);
    let title = Span::styled(" topology ", app.theme.title());
    let is_shared = network.edges.iter().any(|edge| edge.is_shared);
    let shared = if is_shared { " ═ a database of several " } else { "" };
    let legend = format!("{shared} ─ declared  ╌ by an address  ┄! undeclared  ◇ elsewhere ");
    let legend = Span::styled(legend, app.theme.faint());
    let mut block = Block::bordered().title(title.clone());
    let inner = block.inner(top);
    app.page = usize::from(inner.height.max(1));
    if network.nodes.is_empty() {
        frame.render_widget(block.title(Line::from(legend).right_aligned()), top);
        frame.render_widget(Paragraph::new(unknown(app, "there are no services")), inner);
    } else {
        let (width, height) = (usize::from(inner.width), usize::from(inner.height));
        let picture = picture(app, &network, selected, width);
        app.topology.undrawn = picture.as_ref().err().cloned();
        let picture = picture.ok().filter(|_| !app.topology.as_list);
        let drawn = picture.unwrap_or_else(|| list(app, &network, selected));
        let shown = window(drawn.row + 1, drawn.lines.len().max(drawn.row + 2), height);
        let above = drawn.places.iter().filter(|it| it.row < shown.start).count();
        let below = drawn.places.iter().filter(|it| it.row >= shown.end).count();
        let count = drawn.places.len();
        let note = if above + below > 0 { format!(" {} of {count} ", selected + 1) } else { String::new() };
        // Where one is matters more than what the lines mean.
        if title.width() + note.width() + 1 + legend.width() <= width {
            block = block.title(Line::from(legend).right_aligned());
        }
        if !note.is_empty() {
            block = block.title(Span::styled(note, app.theme.faint()));
        }
        let seen = above..count - below;
        block = block.title_bottom(beyond(app, &seen, count));
        frame.render_widget(block, top);
        let spots = drawn.places.iter().filter(|it| shown.contains(&it.row)).map(|it| {
            let row = row_of(inner, it.row - shown.start);
            let (x, width) = (u16::try_from(it.x).unwrap_or(u16::MAX), u16::try_from(it.width).unwrap_or(u16::MAX));
            (Rect { x: row.x.saturating_add(x), width, ..row }.intersection(row), Spot::Row(it.node))
        });
        app.spots.add(spots);
        let lines = drawn.lines.into_iter().skip(shown.start).take(height);
        let lines: Vec<_> = lines.map(|line| fit_line(line, width)).collect();
        frame.render_widget(Paragraph::new(lines), inner);
    }
    let Some(Node { name, .. }) = network.nodes.get(selected) else { return };
    let block =
        Block::bordered().title(Span::styled(format!(" {name} "), app.theme.title())).border_style(app.theme.faint());
    let inner = block.inner(bottom);
    frame.render_widget(block, bottom);
    let about: Vec<_> = about.into_iter().map(|line| fit_line(line, usize::from(inner.width))).collect();
    frame.render_widget(Paragraph::new(about), inner);
}

/// The graph as it is drawn; why it is not, where there is no room.
fn picture(app: &App, network: &Network, selected: usize, width: usize) -> Result<Picture, String> {
    let count = network.nodes.len();
    if count > MOST {
        return Err(format!("{count} nodes are listed: more than {MOST} are no picture any more"));
    }
    let picture = drawn(app, network, selected).ok_or("there is nothing to draw")?;
    match picture.width {
        wide if wide > width => {
            Err(format!("it is a list, as the drawing is {wide} columns wide and there is room for {width}"))
        }
        _ => Ok(picture),
    }
}

/// The nodes with whom each calls, a line each.
fn list(app: &App, network: &Network, selected: usize) -> Picture {
    let (mut lines, mut places) = (Vec::new(), Vec::new());
    let mut row = 0;
    for (place, node) in network.nodes.iter().enumerate() {
        if place == selected {
            row = lines.len() + 1;
        }
        places.push(Shown { node: place, row: lines.len(), x: 0, width: usize::from(u16::MAX) });
        let state = app.group(&node.name).and_then(|group| Some(group.lead()?.state));
        let mark = state.map_or(if node.is_service { "·" } else { "◇" }, state_mark);
        let word = state.map_or("", |state| state.word());
        let style = state.map_or(app.theme.faint(), |state| app.theme.state(state));
        let line = Line::from(vec![
            Span::styled(format!("{mark} "), style),
            Span::raw(format!("{}  ", node.name)),
            Span::styled(word, style),
        ]);
        lines.push(if place == selected { line.style(app.theme.selected(true)) } else { line });
        for edge in network.edges.iter().filter(|edge| edge.from == place) {
            let name = &network.nodes[edge.to].name;
            lines.push(edge_line(app, "  → ", name, edge));
        }
    }
    Picture { lines, width: 0, row, places }
}

/// What is known of the selected node: who calls it and whom it calls.
fn about(app: &App, network: &Network, selected: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    if let Some(group) = network.nodes.get(selected).and_then(|node| app.group(&node.name))
        && let (Some(lead), Some(wrong)) = (group.lead(), group.wrong())
    {
        lines.push(Line::styled(wrong, app.theme.bad_of(lead.state)));
    }
    for edge in network.edges.iter().filter(|edge| edge.to == selected) {
        lines.push(edge_line(app, "from ", &network.nodes[edge.from].name, edge));
    }
    for edge in network.edges.iter().filter(|edge| edge.from == selected) {
        lines.push(edge_line(app, "to ", &network.nodes[edge.to].name, edge));
    }
    if lines.is_empty() {
        lines.push(Line::styled("calls nobody, and nobody calls it", app.theme.faint()));
    }
    lines
}

fn edge_line(app: &App, lead: &'static str, name: &str, edge: &Edge) -> Line<'static> {
    let mut spans =
        vec![Span::styled(lead, app.theme.faint()), Span::raw(format!("{:<18}", fit(name, 18))), Span::raw(" ")];
    if let Some(rates) = edge.rates {
        let numbers = format!(
            "{:>5}/s  p50 {:>6}  p99 {:>6}",
            rate(rates.per_second),
            millis(rates.p50_ms),
            millis(rates.p99_ms)
        );
        spans.push(Span::raw(numbers));
        if rates.errors > 0.0 {
            spans.push(Span::styled(format!("  {} fail", percent(rates.errors)), app.theme.bad()));
        }
        spans.push(Span::raw("  "));
    }
    let style = if edge.how == How::Undeclared { app.theme.bad() } else { app.theme.faint() };
    spans.push(Span::styled(edge.word(), style));
    Line::from(spans)
}

/// How an edge is drawn.
pub fn style(app: &App, is_chosen: bool) -> Style {
    if is_chosen { app.theme.title() } else { app.theme.faint() }
}
