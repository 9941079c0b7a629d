//! The acyclic graph of dependencies, over the indices of the services.

/// Who needs whom, checked to be free of cycles.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Graph {
    dependencies: Vec<Vec<usize>>,
    dependents: Vec<Vec<usize>>,
    order: Vec<usize>,
}

/// A walk that ends where it began: `[a, b, c]` means a needs b, b needs c, c needs a.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cycle(pub Vec<usize>);

#[derive(Clone, Copy, PartialEq)]
enum Mark {
    New,
    Open,
    Done,
}

impl Graph {
    /// Builds the graph of `count` nodes; an edge `(a, b)` says that a needs b.
    pub fn new(count: usize, edges: impl IntoIterator<Item = (usize, usize)>) -> Result<Self, Cycle> {
        let mut dependencies = vec![Vec::new(); count];
        let mut dependents = vec![Vec::new(); count];
        for (from, to) in edges {
            if !dependencies[from].contains(&to) {
                dependencies[from].push(to);
                dependents[to].push(from);
            }
        }
        let order = order(&dependencies)?;
        Ok(Self { dependencies, dependents, order })
    }

    /// What a node needs, directly.
    pub fn dependencies(&self, node: usize) -> &[usize] {
        &self.dependencies[node]
    }

    /// Who needs a node, directly.
    pub fn dependents(&self, node: usize) -> &[usize] {
        &self.dependents[node]
    }

    /// All nodes, each after all that it needs; otherwise in their own order.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// The nodes of `roots` and all that they need, as a mask over all nodes.
    pub fn closure(&self, roots: impl IntoIterator<Item = usize>) -> Vec<bool> {
        self.closure_without(roots, |_| false)
    }

    /// The same without those nodes that need not be there, and without what only they need.
    pub fn closure_without(
        &self,
        roots: impl IntoIterator<Item = usize>,
        is_left_out: impl Fn(usize) -> bool,
    ) -> Vec<bool> {
        let mut within = vec![false; self.dependencies.len()];
        let mut todo: Vec<usize> = roots.into_iter().collect();
        while let Some(node) = todo.pop() {
            if !std::mem::replace(&mut within[node], true) {
                todo.extend(self.dependencies[node].iter().filter(|needed| !is_left_out(**needed)));
            }
        }
        within
    }
}

/// Depth-first, with its own stack: a chain of 100,000 must not overflow ours.
fn order(dependencies: &[Vec<usize>]) -> Result<Vec<usize>, Cycle> {
    let mut marks = vec![Mark::New; dependencies.len()];
    let mut order = Vec::with_capacity(dependencies.len());
    for root in 0..dependencies.len() {
        if marks[root] != Mark::New {
            continue;
        }
        marks[root] = Mark::Open;
        let mut path = vec![(root, 0)];
        while let Some((node, next)) = path.last_mut() {
            let Some(&child) = dependencies[*node].get(*next) else {
                marks[*node] = Mark::Done;
                order.push(*node);
                path.pop();
                continue;
            };
            *next += 1;
            match marks[child] {
                Mark::Done => {}
                Mark::New => {
                    marks[child] = Mark::Open;
                    path.push((child, 0));
                }
                Mark::Open => {
                    let start = path.iter().position(|&(node, _)| node == child).unwrap_or(0);
                    return Err(Cycle(path[start..].iter().map(|&(node, _)| node).collect()));
                }
            }
        }
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_dependencies_first() {
        let graph = Graph::new(4, [(0, 1), (0, 2), (1, 3), (2, 3)]).unwrap();
        assert_eq!(graph.order(), [3, 1, 2, 0]);
        assert_eq!(graph.dependents(3), [1, 2]);
    }

    #[test]
    fn names_a_cycle_by_its_walk() {
        assert_eq!(Graph::new(4, [(0, 1), (1, 2), (2, 3), (3, 1)]), Err(Cycle(vec![1, 2, 3])));
        assert_eq!(Graph::new(1, [(0, 0)]), Err(Cycle(vec![0])));
    }

    #[test]
    fn closes_over_dependencies() {
        let graph = Graph::new(5, [(0, 1), (1, 2), (3, 2)]).unwrap();
        assert_eq!(graph.closure([0]), [true, true, true, false, false]);
    }

    #[test]
    fn survives_a_long_chain() {
        let count = 200_000;
        let graph = Graph::new(count, (1..count).map(|node| (node - 1, node))).unwrap();
        assert_eq!(graph.order()[0], count - 1);
    }
}
