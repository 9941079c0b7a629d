//! A topology in several languages. A database that several services use has thick lines to it.

use crate::tui::layers::{Item, layers};
use crate::view::xml::escaped;
use crate::view::{Edge, Graph, Node};

/// A node a line, and those it calls below it.
pub fn text(graph: &Graph) -> Vec<String> {
    let mut out = Vec::new();
    for node in &graph.nodes {
        let state = node.state.map(|state| format!("  {}", state.word())).unwrap_or_default();
        let kind = if node.kind == "process" { String::new() } else { format!("  ({})", node.kind) };
        out.push(format!("{}{kind}{state}", node.name));
        for edge in graph.edges.iter().filter(|edge| edge.from == node.name) {
            let line = if edge.shared.is_some() { '═' } else { line(edge) };
            out.push(format!("  {line}▶ {}{}", edge.to, about(edge)));
        }
    }
    out
}

fn line(edge: &Edge) -> char {
    if edge.declared { '─' } else { '╌' }
}

fn about(edge: &Edge) -> String {
    let waits = edge.condition.as_ref().map(|condition| format!("  when {condition}")).unwrap_or_default();
    let shared = edge.shared.as_ref().map(|name| format!("  database `{name}`, which others use too"));
    format!("{waits}{}", shared.unwrap_or_default())
}

/// The language of Graphviz.
pub fn dot(graph: &Graph) -> Vec<String> {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let mut out = vec!["digraph nagaya {".to_owned(), "  rankdir=LR;".to_owned(), "  node [shape=box];".to_owned()];
    for node in &graph.nodes {
        let shape = match node.kind.as_str() {
            _ if is_shared(graph, node) => " [shape=cylinder]",
            "external" => " [shape=diamond]",
            "task" => " [shape=note]",
            _ => "",
        };
        out.push(format!("  {}{shape};", quoted(&node.name)));
    }
    for edge in &graph.edges {
        let dashed = if edge.declared { "solid" } else { "dashed" };
        let style = match &edge.shared {
            Some(name) => format!(" [style={dashed}, penwidth=3, label={}]", quoted(name)),
            None if edge.declared => String::new(),
            None => " [style=dashed]".to_owned(),
        };
        out.push(format!("  {} -> {}{style};", quoted(&edge.from), quoted(&edge.to)));
    }
    out.push("}".to_owned());
    out
}

fn is_shared(graph: &Graph, node: &Node) -> bool {
    graph.edges.iter().any(|edge| edge.to == node.name && edge.shared.is_some())
}

/// The language of Mermaid. Names may be words of its own, so nodes have numbers.
pub fn mermaid(graph: &Graph) -> Vec<String> {
    let number = |name: &str| graph.nodes.iter().position(|node| node.name == name).unwrap_or_default();
    let mut out = vec!["flowchart LR".to_owned()];
    for (at, node) in graph.nodes.iter().enumerate() {
        let name = &node.name;
        out.push(match node.kind.as_str() {
            _ if is_shared(graph, node) => format!("  n{at}[(\"{name}\")]"),
            "external" => format!("  n{at}{{{{\"{name}\"}}}}"),
            _ => format!("  n{at}[\"{name}\"]"),
        });
    }
    for edge in &graph.edges {
        let arrow = match &edge.shared {
            Some(name) => format!("==>|\"{name}\"|"),
            None if edge.declared => "-->".to_owned(),
            None => "-.->".to_owned(),
        };
        out.push(format!("  n{} {arrow} n{}", number(&edge.from), number(&edge.to)));
    }
    out
}

/// From one layer and row to the next.
const COLUMN: usize = 240;
const ROW: usize = 44;
/// Of a box.
const WIDTH: usize = 160;
const HEIGHT: usize = 28;

/// A picture.
pub fn svg(graph: &Graph) -> Vec<String> {
    let place = |name: &str| graph.nodes.iter().position(|node| node.name == name);
    let ends: Vec<(usize, usize)> =
        graph.edges.iter().filter_map(|edge| Some((place(&edge.from)?, place(&edge.to)?))).collect();
    let layers = layers(graph.nodes.len(), &ends);
    let mut at = vec![(0, 0); graph.nodes.len()];
    for (column, layer) in layers.iter().enumerate() {
        for slot in &layer.slots {
            if let Item::Node(node) = slot.item {
                at[node] = (20 + column * COLUMN, 20 + slot.rows.start * ROW);
            }
        }
    }
    let right = at.iter().map(|(x, _)| x + WIDTH).max().unwrap_or(0) + 20;
    let bottom = at.iter().map(|(_, y)| y + HEIGHT).max().unwrap_or(0) + 20;
    let mut out = vec![
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{right}\" height=\"{bottom}\" font-family=\"sans-serif\" font-size=\"13\">"
        ),
        "<defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" \
         markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\"/></marker></defs>"
            .to_owned(),
    ];
    for (edge, (from, to)) in graph.edges.iter().zip(&ends) {
        let ((x1, y1), (x2, y2)) = (at[*from], at[*to]);
        let (x1, y1, y2, middle) = (x1 + WIDTH, y1 + HEIGHT / 2, y2 + HEIGHT / 2, (x1 + WIDTH + x2) / 2);
        let width = if edge.shared.is_some() { 4 } else { 1 };
        let dashes = if edge.declared { "" } else { " stroke-dasharray=\"5 4\"" };
        let title = edge.shared.as_ref().map(|name| format!("<title>{}</title>", escaped(name))).unwrap_or_default();
        out.push(format!(
            "<path d=\"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}\" fill=\"none\" stroke=\"#555\" \
             stroke-width=\"{width}\"{dashes} marker-end=\"url(#arrow)\">{title}</path>"
        ));
    }
    for (node, (x, y)) in graph.nodes.iter().zip(&at) {
        let (middle, base) = (x + WIDTH / 2, y + HEIGHT / 2 + 5);
        let round = if is_shared(graph, node) { 14 } else { 3 };
        out.push(format!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"{round}\" fill=\"#fff\" stroke=\"#333\"/>\
             <text x=\"{middle}\" y=\"{base}\" text-anchor=\"middle\">{}</text>",
            escaped(&node.name)
        ));
    }
    out.push("</svg>".to_owned());
    out
}
