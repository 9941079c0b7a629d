//! Where the nodes and lines of a graph go when callers stand left of whom they call.
//!
//! The way of Sugiyama: layers by the longest way to a node, dummies where an edge passes a layer, an order in each layer
//! by the middle of the neighbours, and between two layers a channel for each source, in such an order that no two lines
//! lie on each other where that is possible.

use std::ops::Range;

/// Something in a layer: a node, or an edge that passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    Node(usize),
    Pass(usize),
}

/// An item with its rows. Edges arrive at one row each and leave from the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    pub item: Item,
    pub rows: Range<usize>,
}

/// A piece of an edge, from a slot of a layer to a row of the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    pub edge: usize,
    /// The slot in its layer.
    pub from: usize,
    pub to: usize,
    /// The row at which it arrives.
    pub row: usize,
    /// The place of its vertical line among those of this gutter.
    pub channel: usize,
}

/// A layer, and what is between it and the next one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layer {
    pub slots: Vec<Slot>,
    pub segments: Vec<Segment>,
    pub channels: usize,
}

/// The layers from left to right. `edges` are places of nodes; those that lead back to the left or to themselves have no
/// line.
pub fn layers(nodes: usize, edges: &[(usize, usize)]) -> Vec<Layer> {
    let forward = without_cycles(nodes, edges);
    let depth = depths(nodes, edges, &forward);
    let count = depth.iter().copied().max().map_or(0, |deepest| deepest + 1);
    let mut items: Vec<Vec<Item>> = vec![Vec::new(); count];
    for (node, deep) in depth.iter().enumerate() {
        items[*deep].push(Item::Node(node));
    }
    for &edge in &forward {
        let (from, to) = edges[edge];
        for layer in items.iter_mut().take(depth[to]).skip(depth[from] + 1) {
            layer.push(Item::Pass(edge));
        }
    }
    // What an item of a layer is connected to in the one before.
    let before = |item: Item, layer: &[Item]| -> Vec<(usize, usize)> {
        let arriving: Vec<usize> = match item {
            Item::Node(node) => forward.iter().copied().filter(|edge| edges[*edge].1 == node).collect(),
            Item::Pass(edge) => vec![edge],
        };
        let place = |edge: usize| {
            layer.iter().position(|it| *it == Item::Pass(edge) || *it == Item::Node(edges[edge].0)).map(|at| (edge, at))
        };
        arriving.into_iter().filter_map(place).collect()
    };
    order(&mut items, &before);
    place(&items, &before)
}

/// The edges that remain when each that would close a circle is left out.
fn without_cycles(nodes: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let mut kept: Vec<usize> = Vec::new();
    let mut reach: Vec<Vec<bool>> = (0..nodes).map(|node| (0..nodes).map(|other| node == other).collect()).collect();
    for (place, &(from, to)) in edges.iter().enumerate() {
        if reach[to][from] {
            continue;
        }
        kept.push(place);
        let below = reach[to].clone();
        for row in reach.iter_mut().filter(|row| row[from]) {
            row.iter_mut().zip(&below).for_each(|(known, more)| *known |= more);
        }
    }
    kept
}

fn depths(nodes: usize, edges: &[(usize, usize)], forward: &[usize]) -> Vec<usize> {
    let mut depth = vec![0; nodes];
    // No way is longer than there are nodes.
    for _ in 0..nodes {
        let mut changed = false;
        for &edge in forward {
            let (from, to) = edges[edge];
            if depth[to] <= depth[from] {
                depth[to] = depth[from] + 1;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    depth
}

type Before<'a> = dyn Fn(Item, &[Item]) -> Vec<(usize, usize)> + 'a;

/// Sorts each layer by the middle of what its items come from.
fn order(items: &mut [Vec<Item>], before: &Before<'_>) {
    for at in 1..items.len() {
        let (done, rest) = items.split_at_mut(at);
        let last = &done[at - 1];
        rest[0].sort_by_cached_key(|item| {
            let places = before(*item, last);
            let sum: usize = places.iter().map(|(_, place)| place * 1000).sum();
            sum.checked_div(places.len()).unwrap_or(usize::MAX)
        });
    }
}

/// Gives rows to all items and channels to all segments.
fn place(items: &[Vec<Item>], before: &Before<'_>) -> Vec<Layer> {
    let mut layers: Vec<Layer> = Vec::new();
    for (at, layer) in items.iter().enumerate() {
        let mut next = 0;
        let mut slots: Vec<Slot> = Vec::new();
        for item in layer {
            let from = if at == 0 { Vec::new() } else { before(*item, &items[at - 1]) };
            // Level with the middle of where its edges come from, if there is still room.
            let rows = from.iter().filter_map(|(_, place)| Some(layers.last()?.slots.get(*place)?.rows.start));
            let wanted = rows.clone().sum::<usize>().checked_div(from.len()).unwrap_or(0);
            let start = next.max(wanted.saturating_sub(from.len().saturating_sub(1) / 2));
            let height = from.len().max(1);
            slots.push(Slot { item: *item, rows: start..start + height });
            next = start + height + usize::from(matches!(item, Item::Node(_)));
        }
        if let Some(last) = layers.last_mut() {
            last.segments = segments(layer, &slots, &items[at - 1], last, before);
            last.channels = channels(last);
        }
        layers.push(Layer { slots, ..Layer::default() });
    }
    layers
}

fn segments(layer: &[Item], slots: &[Slot], last: &[Item], left: &Layer, before: &Before<'_>) -> Vec<Segment> {
    let mut out = Vec::new();
    for (to, item) in layer.iter().enumerate() {
        let mut from = before(*item, last);
        // From the highest to the lowest, so that they need not cross.
        from.sort_by_key(|(_, place)| left.slots[*place].rows.start);
        for (row, (edge, place)) in slots[to].rows.clone().zip(from) {
            out.push(Segment { edge, from: place, to, row, channel: 0 });
        }
    }
    out
}

/// Orders the vertical lines: where one source leaves at a row at which an edge of another arrives, its line is left of
/// the other's.
fn channels(layer: &mut Layer) -> usize {
    let mut open: Vec<usize> = layer.segments.iter().map(|segment| segment.from).collect();
    open.sort_unstable();
    open.dedup();
    let count = open.len();
    let row = |slots: &[Slot], slot: usize| slots[slot].rows.start;
    for channel in 0..count {
        let is_first = |source: &usize| {
            let arrivals = layer.segments.iter().filter(|segment| segment.from == *source);
            let blocked = |at: usize| open.iter().any(|other| other != source && row(&layer.slots, *other) == at);
            !arrivals.clone().any(|segment| blocked(segment.row))
        };
        // A ring of such wishes cannot be granted: two lines meet then.
        let at = open.iter().position(is_first).unwrap_or(0);
        let source = open.remove(at);
        layer.segments.iter_mut().filter(|it| it.from == source).for_each(|it| it.channel = channel);
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(layer: &Layer) -> Vec<Item> {
        layer.slots.iter().map(|slot| slot.item).collect()
    }

    #[test]
    fn callers_stand_left_and_long_edges_pass() {
        let layers = layers(4, &[(0, 1), (1, 2), (0, 2), (2, 0)]);
        assert_eq!(layers.len(), 3);
        assert_eq!(nodes(&layers[0]), [Item::Node(0), Item::Node(3)]);
        assert_eq!(nodes(&layers[1]), [Item::Node(1), Item::Pass(2)]);
        assert_eq!(nodes(&layers[2]), [Item::Node(2)]);
        assert_eq!(layers[2].slots[0].rows.len(), 2);
        let edges: Vec<usize> = layers.iter().flat_map(|layer| &layer.segments).map(|it| it.edge).collect();
        assert_eq!(edges, [0, 2, 1, 2]);
    }

    /// No two edges arrive at one row, no two items share one, and no line lies on another's where an order avoids it.
    #[test]
    fn random_graphs_have_room() {
        let mut random = fastrand::Rng::with_seed(8);
        for _ in 0..500 {
            let count = random.usize(1..14);
            let edges: Vec<(usize, usize)> =
                (0..random.usize(0..30)).map(|_| (random.usize(0..count), random.usize(0..count))).collect();
            let mut seen = 0;
            for layer in layers(count, &edges) {
                let mut end = 0;
                for slot in &layer.slots {
                    assert!(slot.rows.start >= end);
                    end = slot.rows.end;
                    seen += usize::from(matches!(slot.item, Item::Node(_)));
                }
                let mut rows: Vec<usize> = layer.segments.iter().map(|it| it.row).collect();
                let all = rows.len();
                rows.sort_unstable();
                rows.dedup();
                assert_eq!(rows.len(), all);
                assert!(layer.segments.iter().all(|it| it.channel < layer.channels));
            }
            assert_eq!(seen, count);
        }
    }
}
