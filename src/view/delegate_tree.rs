//! The trace of a name in the shape of linkerd 1's delegate API (`DelegateTree`, `DelegateApiHandler`), which its
//! dashboard, namerd and scripts read.
//!
//! It says less than the trace: nodes of the same path are folded, and behind an entry that is only `~` it does not
//! show the namers, which binding does ask.

use serde::{Deserialize, Serialize};

use crate::dtab::{self, Bound, Label, NameTree, Path, Place, Step, Trace, Unbound, Weighted};

/// What a path became, by which entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DelegateTree {
    #[serde(flatten)]
    pub node: Node,
    /// Empty, and then not shown, where only the end of the way is told.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// None for the path that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dentry: Option<Dentry>,
}

/// What is at a place of the tree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Node {
    Delegate { delegate: Box<DelegateTree> },
    Alt { alt: Vec<DelegateTree> },
    Union { union: Vec<WeightedTree> },
    Leaf { bound: BoundName },
    Neg,
    Fail,
    Empty,
    Exception { message: String },
}

/// A branch of a union.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WeightedTree {
    pub weight: f64,
    pub tree: DelegateTree,
}

/// An entry of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dentry {
    pub prefix: String,
    pub dst: String,
}

/// What a path is bound to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BoundName {
    pub addr: Addr,
    pub id: String,
    /// What is left of the path.
    pub path: String,
}

/// Where that is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Addr {
    Bound { addrs: Vec<Endpoint>, meta: Meta },
    Failed { cause: String },
    Neg,
    Pending,
}

/// One address.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Endpoint {
    pub ip: String,
    pub port: u16,
    pub meta: Meta,
}

/// What linkerd knows of an address besides; nothing here.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Meta {}

impl DelegateTree {
    /// The tree of a trace. Whoever calls knows where places are.
    pub fn new<E>(trace: &Trace<E>, addr: &impl Fn(&Place<E>) -> Addr) -> Self {
        let Step::Name(path) = &trace.step else { return Self::at(&Path::default(), None, Node::Neg) };
        let tree = Builder { addr }.name(path, trace, None);
        tree.unwrap_or_else(|error| Self::exception(path, None, error)).simplified()
    }

    /// What a name is bound to, without the way to it.
    pub fn of_bound<E>(tree: &NameTree<Bound<E>>, addr: &impl Fn(&Place<E>) -> Addr) -> Self {
        let node = match tree {
            NameTree::Neg => Node::Neg,
            NameTree::Fail => Node::Fail,
            NameTree::Empty => Node::Empty,
            NameTree::Leaf(bound) => Node::Leaf { bound: Builder { addr }.bound(bound) },
            NameTree::Alt(trees) => Node::Alt { alt: trees.iter().map(|tree| Self::of_bound(tree, addr)).collect() },
            NameTree::Union(branches) => {
                let branch = |it: &Weighted<Bound<E>>| WeightedTree {
                    weight: it.weight.get(),
                    tree: Self::of_bound(&it.tree, addr),
                };
                Node::Union { union: branches.iter().map(branch).collect() }
            }
        };
        Self { node, path: String::new(), dentry: None }
    }

    fn at(path: &Path, dentry: Option<&dtab::Dentry>, node: Node) -> Self {
        let dentry = dentry.map(|it| Dentry { prefix: it.prefix.to_string(), dst: it.tree.to_string() });
        Self { node, path: path.to_string(), dentry }
    }

    fn exception(path: &Path, dentry: Option<&dtab::Dentry>, error: &Unbound) -> Self {
        Self::at(path, dentry, Node::Exception { message: error.to_string() })
    }

    /// A node that leads to one other, folded with it where both are of one path.
    fn simplified(self) -> Self {
        let Self { node, path, dentry } = self;
        match node {
            Node::Delegate { delegate } => {
                let inner = delegate.simplified();
                let is_end = matches!(inner.node, Node::Neg | Node::Fail | Node::Empty);
                match inner.path == path && !is_end {
                    true => Self { dentry, ..inner },
                    false => Self { node: Node::Delegate { delegate: Box::new(inner) }, path, dentry },
                }
            }
            Node::Alt { alt } => {
                let alt = alt.into_iter().flat_map(|tree| spliced(tree.simplified(), &path)).collect();
                Self { node: Node::Alt { alt }, path, dentry }
            }
            Node::Union { union } => {
                let simple = |it: WeightedTree| WeightedTree { tree: it.tree.simplified(), ..it };
                Self { node: Node::Union { union: union.into_iter().map(simple).collect() }, path, dentry }
            }
            node => Self { node, path, dentry },
        }
    }
}

/// Alternatives inside alternatives of the same path are as good as beside them.
fn spliced(tree: DelegateTree, path: &str) -> Vec<DelegateTree> {
    match tree.node {
        Node::Alt { alt } if tree.path == path => alt,
        node => vec![DelegateTree { node, ..tree }],
    }
}

struct Builder<'a, E> {
    addr: &'a dyn Fn(&Place<E>) -> Addr,
}

/// An error ends at the nearest choice around it, which has others to show.
type Built<'t> = Result<DelegateTree, &'t Unbound>;

impl<E> Builder<'_, E> {
    /// A path that was looked up, because of an entry.
    fn name<'t>(&self, path: &Path, trace: &'t Trace<E>, dentry: Option<&dtab::Dentry>) -> Built<'t> {
        let entries: Vec<(&dtab::Dentry, &Trace<E>)> = trace
            .parts
            .iter()
            .filter_map(|part| match &part.step {
                Step::Entry { dentry, .. } => Some((dentry, part)),
                _ => None,
            })
            .collect();
        let node = match entries.as_slice() {
            [] => return self.ends(path, trace, dentry),
            [(own, entry)] => Node::Delegate { delegate: Box::new(self.tree(path, entry.inner()?, Some(own))?) },
            all => {
                let alternative = |(own, entry): &(&dtab::Dentry, &'t Trace<E>)| {
                    let tree = entry.inner().and_then(|inner| self.tree(path, inner, Some(own)));
                    tree.unwrap_or_else(|error| DelegateTree::exception(path, dentry, error))
                };
                Node::Alt { alt: all.iter().map(alternative).collect() }
            }
        };
        Ok(DelegateTree::at(path, dentry, node))
    }

    /// A path that no entry is for: what the last namer that was asked made of it.
    fn ends<'t>(&self, path: &Path, trace: &'t Trace<E>, dentry: Option<&dtab::Dentry>) -> Built<'t> {
        if let Some(tree) = trace.parts.last().and_then(|namer| namer.parts.first()) {
            return self.tree(path, tree, dentry);
        }
        let node = match &trace.outcome {
            Ok(NameTree::Leaf(bound)) => Node::Leaf { bound: self.bound(bound) },
            Ok(_) => Node::Neg,
            Err(Unbound::Pending(_)) => Node::Leaf { bound: BoundName::pending(path) },
            Err(error @ (Unbound::Namer { .. } | Unbound::UnknownNamer { .. })) => {
                Node::Exception { message: error.to_string() }
            }
            Err(error @ (Unbound::TooDeep { .. } | Unbound::TooMuch { .. })) => return Err(error),
        };
        Ok(DelegateTree::at(path, dentry, node))
    }

    /// The tree of an entry, or of a namer's answer, for a path.
    fn tree<'t>(&self, path: &Path, trace: &'t Trace<E>, dentry: Option<&dtab::Dentry>) -> Built<'t> {
        let branch = |part: &'t Trace<E>| {
            self.tree(path, part, dentry).unwrap_or_else(|error| DelegateTree::exception(path, dentry, error))
        };
        let node = match &trace.step {
            Step::Name(next) => return self.name(next, trace, dentry),
            Step::Alt => Node::Alt { alt: trace.parts.iter().map(branch).collect() },
            Step::Union(weights) => {
                let branches = weights.iter().zip(&trace.parts);
                let weighted = branches.map(|(weight, part)| WeightedTree { weight: weight.get(), tree: branch(part) });
                Node::Union { union: weighted.collect() }
            }
            Step::Symbol | Step::Cut | Step::Entry { .. } | Step::Namer(_) => {
                return symbol(path, trace.outcome.as_ref()?, dentry);
            }
        };
        Ok(DelegateTree::at(path, dentry, node))
    }

    fn bound(&self, bound: &Bound<E>) -> BoundName {
        BoundName { addr: (self.addr)(&bound.place), id: bound.id.to_string(), path: bound.residual.to_string() }
    }
}

/// `~` and `!` are shown as such; `/$/fail` as the name that it is.
fn symbol<'t, E>(path: &Path, tree: &NameTree<Bound<E>>, dentry: Option<&dtab::Dentry>) -> Built<'t> {
    let fails_by_name = path.labels().iter().take(2).map(Label::as_bytes).eq([b"$".as_slice(), b"fail"]);
    let (node, shown) = match tree {
        NameTree::Fail if fails_by_name => (Node::Fail, None),
        NameTree::Fail => (Node::Fail, Some("!")),
        NameTree::Empty => (Node::Empty, None),
        _ => (Node::Neg, Some("~")),
    };
    let tree = DelegateTree::at(path, dentry, node);
    Ok(DelegateTree { path: shown.map_or(tree.path, str::to_owned), ..tree })
}

impl BoundName {
    fn pending(path: &Path) -> Self {
        Self { addr: Addr::Pending, id: path.to_string(), path: Path::default().to_string() }
    }
}
