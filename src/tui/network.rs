//! The graph that is drawn: the manifest's edges and those that were seen, and their picture.

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use super::app::App;
use super::layers::{Item, Layer, layers};
use super::topology::style;
use crate::view::{EdgeId, Rates, is_to, rate, state_mark};

/// The callers from outside.
pub const FRONT_DOOR: &str = "(front door)";
/// Cells for a rate on an edge.
const LABEL: usize = 7;

/// A node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub name: String,
    /// One of the workspace's that runs here.
    pub is_service: bool,
}

/// How it is known that one calls the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    Declared,
    Referenced,
    /// It was seen, and the manifest does not have it.
    Undeclared,
    /// It was seen, and one end is no service.
    Seen,
}

impl How {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::Referenced => "by an address in its variables",
            Self::Undeclared => "undeclared: `depends_on` does not have it",
            Self::Seen => "",
        }
    }

    fn line(self) -> char {
        match self {
            Self::Declared | Self::Seen => '─',
            Self::Referenced => '╌',
            Self::Undeclared => '┄',
        }
    }
}

/// An edge between places of nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct Edge {
    pub from: usize,
    pub to: usize,
    pub how: How,
    /// The caller uses a database there that others use too.
    pub is_shared: bool,
    pub rates: Option<Rates>,
}

impl Edge {
    fn line(&self) -> char {
        if self.is_shared { '═' } else { self.how.line() }
    }

    /// What is known of it, in words.
    pub fn word(&self) -> String {
        let shared = if self.is_shared { "; others use the same database" } else { "" };
        format!("{}{shared}", self.how.word())
    }
}

/// All of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Network {
    pub nodes: Vec<Node>,
    pub edges: Vec<Edge>,
}

impl Network {
    /// The manifest's topology with all that was seen.
    pub fn new(app: &App) -> Self {
        let graph = &app.topology.graph;
        let node = |it: &crate::view::Node| Node { name: it.name.clone(), is_service: it.kind != "external" };
        let mut network = Self { nodes: graph.nodes.iter().map(node).collect(), edges: Vec::new() };
        for edge in &graph.edges {
            let how = if edge.declared { How::Declared } else { How::Referenced };
            network.connect(&edge.from, &edge.to, how, edge.shared.is_some());
        }
        for (id, declared) in app.traffic.edges() {
            let how = if declared == Some(false) { How::Undeclared } else { How::Seen };
            let to = app.services.iter().find(|row| is_to(id, row)).map_or(&id.to, |row| &row.name);
            network.connect(id.from.as_deref().unwrap_or(FRONT_DOOR), to, how, false);
        }
        network.measure(app);
        network
    }

    fn place(&mut self, name: &str) -> usize {
        self.nodes.iter().position(|node| node.name == name).unwrap_or_else(|| {
            // Who is no service was seen only.
            self.nodes.push(Node { name: name.to_owned(), is_service: false });
            self.nodes.len() - 1
        })
    }

    fn connect(&mut self, from: &str, to: &str, how: How, is_shared: bool) {
        let (from, to) = (self.place(from), self.place(to));
        if !self.edges.iter().any(|edge| (edge.from, edge.to) == (from, to)) {
            self.edges.push(Edge { from, to, how, is_shared, rates: None });
        }
    }

    fn measure(&mut self, app: &App) {
        for edge in &mut self.edges {
            let (from, to) = (&self.nodes[edge.from].name, &self.nodes[edge.to].name);
            let row = app.services.iter().find(|row| row.name == *to);
            let is_meant = |id: &EdgeId| {
                id.from.as_deref().unwrap_or(FRONT_DOOR) == from
                    && row.map_or_else(|| id.to == *to, |row| is_to(id, row))
            };
            edge.rates = app.traffic.rates(is_meant);
        }
    }
}

/// A picture of a network.
#[derive(Debug)]
pub struct Picture {
    pub lines: Vec<Line<'static>>,
    pub width: usize,
    /// The row of the selected node.
    pub row: usize,
    pub places: Vec<Shown>,
}

/// Where a node is in a picture, in cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    pub node: usize,
    pub row: usize,
    pub x: usize,
    pub width: usize,
}

/// Directions of a line out of a cell, as bits.
const UP: u8 = 1;
const RIGHT: u8 = 2;
const DOWN: u8 = 4;
const LEFT: u8 = 8;

#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    lines: u8,
    /// A character of its own, in place of lines.
    char: Option<char>,
    straight: Option<char>,
    style: Style,
}

struct Canvas {
    rows: Vec<Vec<Cell>>,
    width: usize,
}

impl Canvas {
    fn cell(&mut self, x: usize, y: usize) -> &mut Cell {
        if self.rows.len() <= y {
            self.rows.resize(y + 1, vec![Cell::default(); self.width]);
        }
        let last = self.width - 1;
        &mut self.rows[y][x.min(last)]
    }

    fn line(&mut self, (x, y): (usize, usize), lines: u8, straight: char, style: Style) {
        let cell = self.cell(x, y);
        cell.lines |= lines;
        cell.straight = Some(straight);
        cell.style = style;
    }

    fn text(&mut self, (x, y): (usize, usize), text: &str, style: Style) {
        for (at, char) in text.chars().enumerate() {
            *self.cell(x + at, y) = Cell { char: Some(char), style, ..Cell::default() };
        }
    }
}

fn joined(lines: u8, straight: char) -> char {
    const CHARS: [char; 16] = [' ', '╵', '╶', '└', '╷', '│', '┌', '├', '╴', '┘', '─', '┴', '┐', '┤', '┬', '┼'];
    match lines {
        10 => straight,
        lines => CHARS[usize::from(lines & 15)],
    }
}

/// Draws it; the selected node and its edges stand out. `None` where there is nothing.
pub fn drawn(app: &App, network: &Network, selected: usize) -> Option<Picture> {
    let ends: Vec<(usize, usize)> = network.edges.iter().map(|edge| (edge.from, edge.to)).collect();
    let layers = layers(network.nodes.len(), &ends);
    let widths: Vec<usize> = layers
        .iter()
        .map(|layer| layer.slots.iter().map(|slot| width(network, slot.item)).max().unwrap_or(0))
        .collect();
    let mut starts = Vec::new();
    let mut x = 0;
    for (layer, width) in layers.iter().zip(&widths) {
        starts.push(x);
        x += width + if layer.channels == 0 { 2 } else { layer.channels + LABEL + 5 };
    }
    let mut canvas = Canvas { rows: Vec::new(), width: x.max(1) };
    // What stands out is painted over the rest.
    for is_chosen in [false, true] {
        for (at, layer) in layers.iter().enumerate() {
            edges(app, network, selected, is_chosen, &mut canvas, (&layers, at), (&starts, &widths));
            passes(app, network, selected, is_chosen, &mut canvas, layer, (starts[at], widths[at]));
        }
    }
    let (mut row, mut places) = (0, Vec::new());
    for (at, layer) in layers.iter().enumerate() {
        for slot in &layer.slots {
            let Item::Node(node) = slot.item else { continue };
            let is_selected = node == selected;
            if is_selected {
                row = slot.rows.start;
            }
            let width = network.nodes[node].name.width() + 2;
            places.push(Shown { node, row: slot.rows.start, x: starts[at], width });
            let (mark, style) = marked(app, network, node);
            let name_style = if is_selected { app.theme.selected(true) } else { Style::new() };
            canvas.text((starts[at], slot.rows.start), mark, style);
            canvas.text((starts[at] + 2, slot.rows.start), &network.nodes[node].name, name_style);
        }
    }
    let used =
        |row: &Vec<Cell>| row.iter().rposition(|cell| cell.char.is_some() || cell.lines != 0).map_or(0, |at| at + 1);
    let width = canvas.rows.iter().map(used).max()?;
    let span = |cell: &Cell| {
        let char = cell.char.unwrap_or_else(|| joined(cell.lines, cell.straight.unwrap_or('─')));
        Span::styled(char.to_string(), cell.style)
    };
    let lines = canvas.rows.iter().map(|row| Line::from_iter(row[..used(row)].iter().map(span))).collect();
    Some(Picture { lines, width, row, places })
}

fn width(network: &Network, item: Item) -> usize {
    match item {
        Item::Node(node) => network.nodes[node].name.width() + 3,
        Item::Pass(_) => 1,
    }
}

fn marked(app: &App, network: &Network, node: usize) -> (&'static str, Style) {
    let node = &network.nodes[node];
    let state = app.group(&node.name).and_then(|group| Some(group.lead()?.state));
    match state {
        Some(_) if !node.is_service => ("◇", app.theme.title()),
        Some(state) => (state_mark(state), app.theme.state(state)),
        None if node.is_service => ("·", app.theme.faint()),
        None => ("◇", app.theme.title()),
    }
}

fn is_about(network: &Network, edge: usize, selected: usize) -> bool {
    network.edges.get(edge).is_some_and(|edge| edge.from == selected || edge.to == selected)
}

/// The edges from one layer to the next.
fn edges(
    app: &App,
    network: &Network,
    selected: usize,
    is_chosen: bool,
    canvas: &mut Canvas,
    (layers, at): (&[Layer], usize),
    (starts, widths): (&[usize], &[usize]),
) {
    let layer = &layers[at];
    let Some(end) = starts.get(at + 1) else { return };
    let style = style(app, is_chosen);
    for segment in layer.segments.iter().filter(|it| is_about(network, it.edge, selected) == is_chosen) {
        let edge = &network.edges[segment.edge];
        let straight = edge.line();
        let slot = &layer.slots[segment.from];
        let begin = match slot.item {
            Item::Node(node) => starts[at] + width(network, Item::Node(node)),
            Item::Pass(_) => starts[at] + widths[at],
        };
        let (leaves, arrives) = (slot.rows.start, segment.row);
        let bend = starts[at] + widths[at] + 1 + segment.channel;
        for x in begin..bend {
            canvas.line((x, leaves), LEFT | RIGHT, straight, style);
        }
        if leaves == arrives {
            canvas.line((bend, leaves), LEFT | RIGHT, straight, style);
        } else {
            let (out, into) = if leaves < arrives { (DOWN, UP) } else { (UP, DOWN) };
            canvas.line((bend, leaves), LEFT | out, straight, style);
            for y in leaves.min(arrives) + 1..leaves.max(arrives) {
                canvas.line((bend, y), UP | DOWN, straight, style);
            }
            canvas.line((bend, arrives), into | RIGHT, straight, style);
        }
        for x in bend + 1..*end {
            canvas.line((x, arrives), LEFT | RIGHT, straight, style);
        }
        if matches!(layers[at + 1].slots[segment.to].item, Item::Node(_)) {
            canvas.text((end - 2, arrives), "▶", style);
            canvas.text((end - 1, arrives), " ", style);
            label(app, canvas, edge, (*end, arrives), style);
        }
    }
}

/// How much is called, before the arrow; and a sign where the manifest does not have it.
fn label(app: &App, canvas: &mut Canvas, edge: &Edge, (end, row): (usize, usize), style: Style) {
    let undeclared = if edge.how == How::Undeclared { "!" } else { "" };
    let text = match edge.rates {
        Some(rates) => format!("{}/s{undeclared}", rate(rates.per_second)),
        None => undeclared.to_owned(),
    };
    let is_bad = edge.how == How::Undeclared || edge.rates.is_some_and(|rates| rates.errors > 0.0);
    let style = if is_bad { app.theme.bad() } else { style };
    canvas.text((end.saturating_sub(3 + text.width()), row), &text, style);
}

/// The edges that go through a layer.
fn passes(
    app: &App,
    network: &Network,
    selected: usize,
    is_chosen: bool,
    canvas: &mut Canvas,
    layer: &Layer,
    (start, width): (usize, usize),
) {
    for slot in &layer.slots {
        let Item::Pass(edge) = slot.item else { continue };
        if is_about(network, edge, selected) != is_chosen {
            continue;
        }
        for x in start..start + width {
            canvas.line((x, slot.rows.start), LEFT | RIGHT, network.edges[edge].line(), style(app, is_chosen));
        }
    }
}
