//! What a name is bound to, by which entries, and on whom that depends.

use std::sync::Arc;

use super::routed_name;
use crate::dtab::namers::{Kind, flaw};
use crate::dtab::{
    Address, Bound, Dentry, Dtab, Fate, Interpreter, NameTree, Origin, Path, Place, Ruled, Step, Trace, Unbound,
};
use crate::proxy::answer::{Refusal, Sought};
use crate::route::disco::FOLDER;
use crate::route::{Asking, Availability, Known, Standing, Upstream};

/// Why nobody is there.
pub const NO_ENDPOINTS: &str = "it has no endpoints";

/// A name that was bound.
#[derive(Debug)]
pub struct Binding {
    pub name: Path,
    /// The rules that are for its requests.
    pub rules: Vec<Ruled>,
    pub end: End,
    /// The services that were looked at, and how they stood.
    depends: Vec<(Arc<Upstream>, Standing)>,
}

/// What came of it.
#[derive(Debug)]
pub enum End {
    /// Each leaf with the entry that led there.
    Tree(NameTree<(Leaf, Option<Arc<str>>)>),
    Refused(Refusal),
}

/// Whom a name leads to.
#[derive(Debug)]
pub enum Leaf {
    Service(Arc<Upstream>),
    Address(Address),
    /// With the reason.
    Nobody(String),
}

impl Binding {
    /// Binds a name. The first entries of the table are built in: that they led somewhere is not worth telling.
    /// `is_led` where the last ones are the caller's own.
    pub fn new(
        interpreter: &Interpreter<'_, Arc<Upstream>>,
        name: &Path,
        known: &Known,
        built_in: usize,
        is_led: bool,
    ) -> Self {
        drop(known.take_asked());
        let trace = interpreter.delegate(name);
        let asked = known.take_asked();
        let end = end((name, interpreter.local), &trace, &asked, built_in, is_led);
        let mut depends: Vec<(Arc<Upstream>, Standing)> = asked.into_iter().filter_map(|it| it.found).collect();
        depends.dedup_by(|(one, _), (other, _)| Arc::ptr_eq(one, other));
        // It leads to one service or nowhere: whether that is there is seen when it is called.
        if let ([(only, _)], End::Tree(NameTree::Leaf((Leaf::Service(leaf), _)))) = (depends.as_slice(), &end)
            && Arc::ptr_eq(only, leaf)
        {
            depends.clear();
        }
        Self { name: name.clone(), rules: interpreter.rules.to_vec(), end, depends }
    }

    /// Whether nothing has changed on which it depends.
    pub fn holds(&self) -> bool {
        self.depends.iter().all(|(upstream, standing)| Standing::of(upstream) == *standing)
    }

    /// The services on which it depends, and those to which it leads.
    pub fn services(&self) -> impl Iterator<Item = &Arc<Upstream>> {
        let led = match &self.end {
            End::Tree(tree) => tree.shares().into_iter().filter_map(|share| share.leaf).collect(),
            End::Refused(_) => Vec::new(),
        };
        let led = led.into_iter().filter_map(|(leaf, _)| match leaf {
            Leaf::Service(upstream) => Some(upstream),
            Leaf::Address(_) | Leaf::Nobody(_) => None,
        });
        self.depends.iter().map(|(upstream, _)| upstream).chain(led)
    }

    /// Whether it leads to services alone, none of which is there. What else it may be is told by an answer.
    pub fn is_absent(&self) -> bool {
        let End::Tree(tree) = &self.end else { return false };
        let is_absent = |(leaf, _): &(Leaf, _)| matches!(leaf, Leaf::Service(upstream) if Standing::of(upstream) == Standing::Absent);
        tree.shares().iter().all(|share| share.leaf.is_some_and(is_absent))
    }
}

/// The words behind `dtab explain` by which a name's way is told as this request went it.
fn explained(name: &Path, local: &Dtab) -> String {
    /// More than that nobody types.
    const MOST: usize = 300;
    let entries = local.to_string();
    match entries.len() {
        1..=MOST => format!("{name} --dtab '{entries}'"),
        _ => name.to_string(),
    }
}

fn end(
    (name, local): (&Path, &Dtab),
    trace: &Trace<Arc<Upstream>>,
    asked: &[Asking],
    built_in: usize,
    is_led: bool,
) -> End {
    let unended = || Sought::End(explained(name, local));
    if let Some((dentry, part)) = trace.vain_override() {
        let what = format!("the override `{dentry}`");
        // Nobody else was looked for by it.
        let asked: Vec<Asking> = asked.iter().filter(|asking| looks_for(part, asking)).cloned().collect();
        return End::Refused(nowhere(what, &asked, Sought::Override));
    }
    let refused = |reason: String| Refusal::Unrouted(name.to_string(), reason, unended());
    let service = |upstream: &Arc<Upstream>| End::Tree(NameTree::Leaf((Leaf::Service(upstream.clone()), None)));
    let last = |wanted| asked.iter().rev().filter_map(|it| it.found.as_ref()).find(|(_, now)| *now == wanted);
    match &trace.outcome {
        Ok(NameTree::Neg) => match last(Standing::Absent) {
            // Its own refusal says more.
            Some((absent, _)) => service(absent),
            None if name.labels().iter().take(2).all(|label| label.as_bytes() == b"svc") && name.len() > 1 => {
                let reason = "no service is called `svc`".to_owned();
                let rest = name.split_at(1).1.split_at(1).1.to_string();
                End::Refused(Refusal::Unrouted(name.to_string(), reason, Sought::Prefixed(rest)))
            }
            None => End::Refused(nowhere(name.to_string(), asked, unended())),
        },
        Ok(NameTree::Fail) => match asked.iter().filter_map(|it| it.found.as_ref()).next() {
            // What the caller is led to is written as `users-c2 | !`, and by nobody who has to be told of the `!`.
            Some((absent, Standing::Absent)) if is_led => service(absent),
            Some(_) | None => forbidden((name, local), trace, "says that it is to fail (`!`)"),
        },
        Ok(NameTree::Empty) => forbidden((name, local), trace, "says that nobody is there (`$`)"),
        Ok(tree) => {
            let mut by = Vec::new();
            entries(trace, None, built_in, &mut by);
            End::Tree(tree.map(&mut |bound| (leaf(bound), led(bound, &by))))
        }
        Err(Unbound::Pending(paths)) => {
            let names: Vec<&str> = paths.iter().filter_map(routed_name).collect();
            let pending = |it: &&Asking| names.contains(&it.name.as_str());
            match asked.iter().find(pending).and_then(|it| it.found.as_ref()) {
                Some((upstream, _)) => service(upstream),
                None => End::Refused(refused("it is not known yet where it is".to_owned())),
            }
        }
        Err(reason) => End::Refused(refused(reason.to_string())),
    }
}

/// The refusal of a name of which an entry says that it leads nowhere.
fn forbidden((name, local): (&Path, &Dtab), trace: &Trace<Arc<Upstream>>, says: &str) -> End {
    let own = || Sought::End(explained(name, local));
    let (entry, sought) = match decisive(trace, None) {
        Some((Origin::Table, dentry)) => (format!("`{dentry}`"), own()),
        Some((Origin::Rule(label), _)) => (format!("the rule {label}"), own()),
        Some((Origin::Override, dentry)) => (format!("the override `{dentry}`"), Sought::Override),
        None => ("a route".to_owned(), own()),
    };
    End::Refused(Refusal::Unrouted(name.to_string(), format!("{entry} {says}"), sought))
}

/// The last entry on the way that was taken.
fn decisive<'t>(
    trace: &'t Trace<Arc<Upstream>>,
    before: Option<(&'t Origin, &'t Dentry)>,
) -> Option<(&'t Origin, &'t Dentry)> {
    let last = match &trace.step {
        Step::Entry { origin, dentry, .. } => Some((origin, dentry)),
        _ => before,
    };
    match trace.parts.iter().find(|part| part.fate == Fate::Taken) {
        Some(part) => decisive(part, last),
        None => last,
    }
}

fn leaf(bound: &Bound<Arc<Upstream>>) -> Leaf {
    match &bound.place {
        Place::At(upstream) => Leaf::Service(upstream.clone()),
        Place::Inet(address) => Leaf::Address(address.clone()),
        Place::Vacant => Leaf::Nobody(match flaw(&bound.id) {
            Some(flaw) => format!("{}: {flaw}", bound.id),
            None => NO_ENDPOINTS.to_owned(),
        }),
    }
}

/// Whether somebody was looked for in a part of the way.
fn looks_for(part: &Trace<Arc<Upstream>>, asking: &Asking) -> bool {
    let is_it = match &part.step {
        Step::Name(path) => {
            let name = asking.name.split('/').map(str::as_bytes);
            let labels = path.strip_prefix(&asking.kind.prefix());
            labels.is_some_and(|labels| {
                labels.len() >= name.clone().count() && name.zip(labels).all(|(a, b)| a == b.as_bytes())
            })
        }
        _ => false,
    };
    is_it || part.parts.iter().any(|part| looks_for(part, asking))
}

/// The refusal of what leads nowhere: it names the first who was looked for in vain, if somebody was.
fn nowhere(what: String, asked: &[Asking], else_sought: Sought) -> Refusal {
    let in_vain = |it: &&Asking| it.found.as_ref().is_none_or(|(_, standing)| *standing == Standing::Absent);
    match asked.iter().find(in_vain) {
        Some(Asking { found: Some((upstream, _)), .. }) => {
            let state = match *upstream.availability.borrow() {
                Availability::Absent(state) | Availability::Coming(state) => state.said(),
                Availability::Ready | Availability::Idle => "is back by now",
            };
            let sought = Sought::Service(upstream.name.clone());
            Refusal::Unrouted(what, format!("{} {state}", upstream.name), sought)
        }
        Some(Asking { kind, name, found: None, flaw }) => {
            let (reason, sought) = match (kind, flaw) {
                (Kind::Remote, _) => (format!("no remote has `{name}`"), Sought::Remote),
                (Kind::File, Some(flaw)) => {
                    (format!("the file `{FOLDER}/{name}` cannot be read: {flaw}"), Sought::BadFile(name.clone()))
                }
                (Kind::File, None) => (format!("there is no file `{FOLDER}/{name}`"), Sought::File(name.clone())),
                (Kind::Local | Kind::External, _) => (format!("there is no service `{name}`"), Sought::Other),
            };
            Refusal::Unrouted(what, reason, sought)
        }
        None => Refusal::Unrouted(what, "no entry and no namer knows more".to_owned(), else_sought),
    }
}

/// Collects by which entry each bound name was found: the last one on the way that is not built in.
fn entries<'t>(
    trace: &'t Trace<Arc<Upstream>>,
    by: Option<&'t Step>,
    built_in: usize,
    found: &mut Vec<(&'t Path, Option<&'t Step>)>,
) {
    let is_out = matches!(trace.fate, Fate::NotNeeded | Fate::Negative | Fate::Dropped);
    if is_out {
        return;
    }
    let by = match &trace.step {
        Step::Entry { number, .. } if *number >= built_in => Some(&trace.step),
        _ => by,
    };
    if let (Step::Namer(_), [], Ok(NameTree::Leaf(bound))) = (&trace.step, trace.parts.as_slice(), &trace.outcome) {
        found.push((&bound.id, by));
    }
    trace.parts.iter().for_each(|part| entries(part, by, built_in, found));
}

fn led(bound: &Bound<Arc<Upstream>>, by: &[(&Path, Option<&Step>)]) -> Option<Arc<str>> {
    let (_, step) = by.iter().find(|(id, _)| **id == bound.id)?;
    match (*step)? {
        Step::Entry { origin, dentry, .. } => Some(match origin {
            Origin::Table => dentry.to_string().into(),
            Origin::Rule(label) => format!("rule {label}: {dentry}").into(),
            Origin::Override => format!("override {dentry}").into(),
        }),
        _ => None,
    }
}
