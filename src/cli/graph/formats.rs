//! A topology in several languages. A database that several services use has thick lines to it.

use crate::tui::layers::{Item, layers};
use crate::view::xml::escaped;
use crate::view::{Edge, Graph, Node, Observed, millis, percent, rate};

/// A node a line, and those it calls below it.
pub fn text(graph: &Graph) -> Vec<String> {
    let mut out = Vec::new();
    for node in &graph.nodes {
        let state = node.state.map(|state| format!("  {}", state.word())).unwrap_or_default();
        let kind = if node.kind == "process" { String::new() } else { format!("  ({})", node.kind) };
        out.push(format!("{}{kind}{state}", node.name));
        for edge in graph.edges.iter().filter(|edge| edge.from == node.name) {
            out.push(format!("  {}▶ {}{}", line(edge), edge.to, about(edge)));
        }
    }
    out
}

fn line(edge: &Edge) -> char {
    match edge {
        _ if edge.shared.is_some() => '═',
        _ if edge.declared => '─',
        _ if edge.referenced => '╌',
        _ if is_undeclared(edge) => '┄',
        _ => '─',
    }
}

fn is_undeclared(edge: &Edge) -> bool {
    edge.seen.is_some_and(|seen| seen.undeclared)
}

fn is_unused(edge: &Edge) -> bool {
    edge.seen.is_some_and(|seen| seen.unused)
}

/// What was seen of an edge, in a few words.
fn seen(edge: &Edge) -> Option<String> {
    let seen = edge.seen.filter(|seen| seen.observed)?;
    let Observed { requests, errors, per_second, p50_ms, p99_ms, .. } = seen;
    #[allow(clippy::cast_precision_loss, reason = "counts of requests")]
    let share = errors as f64 / requests.max(1) as f64;
    let failed = if errors > 0 { format!(", {} failed", percent(share)) } else { String::new() };
    let took = |ms: Option<f64>| millis(ms.unwrap_or_default());
    Some(format!("{}/s, {requests} in all{failed}, p50 {}, p99 {}", rate(per_second), took(p50_ms), took(p99_ms)))
}

/// The label of an edge in a picture.
fn label(edge: &Edge) -> Option<String> {
    let words = [edge.shared.clone(), seen(edge), is_unused(edge).then(|| NOT_CALLED.to_owned())];
    let words: Vec<String> = words.into_iter().flatten().collect();
    (!words.is_empty()).then(|| words.join("; "))
}

const NOT_CALLED: &str = "no call was seen";
const UNDECLARED: &str = "undeclared: `depends_on` does not have it";

fn about(edge: &Edge) -> String {
    let waits = edge.condition.as_ref().map(|condition| format!("  when {condition}")).unwrap_or_default();
    let shared = edge.shared.as_ref().map(|name| format!("  database `{name}`, which others use too"));
    let seen = seen(edge).map(|seen| format!("  {seen}")).unwrap_or_default();
    let wrong = match edge {
        _ if is_undeclared(edge) => format!("  {UNDECLARED}"),
        _ if is_unused(edge) => format!("  {NOT_CALLED}"),
        _ => String::new(),
    };
    format!("{waits}{}{seen}{wrong}", shared.unwrap_or_default())
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
        let mut style = Vec::new();
        style.extend((!edge.declared).then(|| "style=dashed".to_owned()));
        style.extend(edge.shared.as_ref().map(|_| "penwidth=3".to_owned()));
        style.extend(colour(edge).map(|colour| format!("color=\"{colour}\"")));
        style.extend(label(edge).map(|label| format!("label={}", quoted(&label))));
        let style = if style.is_empty() { String::new() } else { format!(" [{}]", style.join(", ")) };
        out.push(format!("  {} -> {}{style};", quoted(&edge.from), quoted(&edge.to)));
    }
    out.push("}".to_owned());
    out
}

/// What is not as the manifest has it: red where it lacks a call, grey where nobody made one.
fn colour(edge: &Edge) -> Option<&'static str> {
    match edge {
        _ if is_undeclared(edge) => Some("#c00"),
        _ if is_unused(edge) => Some("#bbb"),
        _ => None,
    }
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
        let arrow = match edge {
            _ if edge.shared.is_some() => "==>",
            _ if edge.declared => "-->",
            _ => "-.->",
        };
        let label = label(edge).map(|label| format!("|\"{label}\"|")).unwrap_or_default();
        out.push(format!("  n{} {arrow}{label} n{}", number(&edge.from), number(&edge.to)));
    }
    for (at, edge) in graph.edges.iter().enumerate() {
        out.extend(colour(edge).map(|colour| format!("  linkStyle {at} stroke:{colour}")));
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
        let title = label(edge).map(|label| format!("<title>{}</title>", escaped(&label))).unwrap_or_default();
        let colour = colour(edge).unwrap_or("#555");
        out.push(format!(
            "<path d=\"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}\" fill=\"none\" stroke=\"{colour}\" \
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
