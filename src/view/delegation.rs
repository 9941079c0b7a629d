//! The trace of a name as a story: what every look-up found, what was left and why, and where requests go.

use crate::dtab::namers::flaw;
use crate::dtab::{Bound, Dentry, Fate, NameTree, Origin, Outcome, Path, Place, Share, Step, Trace, Unbound};

/// Levels that are told. Names that lead back to themselves go a hundred deep, and say nothing new.
const DEEPEST: usize = 24;
/// The line past what is below a part, to the next.
const PAST: &str = "│  ";
/// How often an entry is met on the way to a limit before the rest is left out.
const ROUNDS: usize = 2;

/// The story of a trace, for a terminal of any width; its last lines say where requests go. `absent` tells what is known
/// of a name that a namer takes for nobody's: `users-v2 is stopped`.
pub fn story<E>(trace: &Trace<E>, absent: &dyn Fn(&Path) -> Option<String>) -> String {
    let vain = trace.vain_override();
    let mut story = Story { lines: Vec::new(), entries: Vec::new(), absent, vain: vain.map(|(dentry, _)| dentry) };
    if let Step::Name(path) = &trace.step {
        story.name(path, trace, "", "");
    }
    story.lines.push(String::new());
    match vain {
        Some((dentry, _)) => story.lines.push(format!(
            "A request that brings `{dentry}` is refused, as that leads nowhere; `| ~` behind it has the next entry count."
        )),
        None => story.lines.extend(ending(&trace.outcome)),
    }
    story.lines.join("\n")
}

struct Story<'a> {
    lines: Vec<String>,
    /// The entries that led to the present place, by number.
    entries: Vec<usize>,
    absent: &'a dyn Fn(&Path) -> Option<String>,
    /// What the request brings in vain.
    vain: Option<&'a Dentry>,
}

impl Story<'_> {
    /// A name and what it led to. The first line of it begins otherwise than those below.
    fn name<E>(&mut self, path: &Path, trace: &Trace<E>, first: &str, indent: &str) {
        self.lines.push(format!("{first}{path}"));
        if trace.parts.is_empty() {
            let end = trace.outcome.as_ref().map_or_else(Unbound::to_string, |_| "no entry is for it".to_owned());
            self.lines.push(format!("{indent}└─ {end}"));
        }
        self.parts(trace, indent, |story, part, first, indent| story.way(path, part, first, indent));
    }

    /// Each part of a step, below it.
    fn parts<E>(&mut self, trace: &Trace<E>, indent: &str, tell: impl Fn(&mut Self, &Trace<E>, &str, &str)) {
        for (place, part) in trace.parts.iter().enumerate() {
            let is_last = place + 1 == trace.parts.len();
            let (branch, below) = if is_last { ("└─ ", "   ") } else { ("├─ ", PAST) };
            tell(self, part, &format!("{indent}{branch}"), &format!("{indent}{below}"));
        }
    }

    /// An entry that was followed, or a namer that was asked of the name.
    fn way<E>(&mut self, name: &Path, part: &Trace<E>, first: &str, indent: &str) {
        match &part.step {
            Step::Entry { number, origin, dentry } => {
                let whose = match origin {
                    Origin::Table => format!("entry {}", number + 1),
                    Origin::Rule(label) => format!("rule {label}"),
                    Origin::Override => "override".to_owned(),
                };
                let is_vain = *origin == Origin::Override && part.fate == Fate::Negative && self.vain == Some(dentry);
                let verdict = match is_vain {
                    true => ": leads nowhere, so the request is refused".to_owned(),
                    false => verdict(part, is_last(indent)),
                };
                self.lines.push(format!("{first}{} => {}  ({whose}){verdict}", dentry.prefix, dentry.tree));
                if part.fate == Fate::NotNeeded {
                    return;
                }
                if self.goes_round(*number, part) {
                    return self.lines.push(format!("{indent}… and so on"));
                }
                self.entries.push(*number);
                self.inside(part, indent);
                self.entries.pop();
            }
            Step::Namer(prefix) => {
                let is_absent = matches!(part.outcome, Ok(NameTree::Neg));
                let absent = is_absent.then(|| (self.absent)(name)).flatten();
                let told = absent.map_or_else(|| told(part), |reason| format!("takes it for nobody's: {reason}"));
                self.lines.push(format!("{first}the namer {prefix} {told}"));
                self.inside(part, indent);
            }
            _ => {}
        }
    }

    fn goes_round<E>(&self, number: usize, part: &Trace<E>) -> bool {
        let met = self.entries.iter().filter(|entry| **entry == number).count();
        let is_endless = matches!(part.outcome, Err(Unbound::TooDeep { .. } | Unbound::TooMuch { .. }));
        self.entries.len() >= DEEPEST || is_endless && met >= ROUNDS
    }

    /// The tree of an entry or namer. It was printed with it, so only what is behind its names is told.
    fn inside<E>(&mut self, part: &Trace<E>, indent: &str) {
        let Some(tree) = part.parts.first() else { return };
        match &tree.step {
            Step::Name(path) => self.name(path, tree, indent, indent),
            Step::Alt | Step::Union(_) => self.parts(tree, indent, Self::branch),
            _ => {}
        }
    }

    /// One alternative, or one branch of a union.
    fn branch<E>(&mut self, part: &Trace<E>, first: &str, indent: &str) {
        let share = if let Fate::Shares(share) = part.fate { percent(share) + "  " } else { String::new() };
        match &part.step {
            Step::Name(path) if part.fate == Fate::NotNeeded => {
                self.lines.push(format!("{first}{path}{}", verdict(part, is_last(indent))));
            }
            Step::Name(path) => {
                let at = self.lines.len();
                self.name(path, part, &format!("{first}{share}"), indent);
                self.lines[at].push_str(&verdict(part, is_last(indent)));
            }
            Step::Alt | Step::Union(_) => {
                let kind = if part.step == Step::Alt { "the first of these that is there" } else { "one of these" };
                self.lines.push(format!("{first}{share}{kind}{}", verdict(part, is_last(indent))));
                self.parts(part, indent, Self::branch);
            }
            _ => self.lines.push(format!("{first}{share}{}{}", symbol(&part.outcome), verdict(part, is_last(indent)))),
        }
    }
}

/// Whether nothing follows a part: then no line is drawn past what is below it.
fn is_last(indent: &str) -> bool {
    !indent.ends_with(PAST)
}

/// What became of a part, behind its line; nothing where that is what its own parts say.
fn verdict<E>(part: &Trace<E>, is_last: bool) -> String {
    let reason = match (&part.fate, &part.outcome) {
        (Fate::Negative, _) if is_last => return String::new(),
        (Fate::Negative, _) => "leads nowhere, so the next is tried".to_owned(),
        (Fate::NotNeeded, outcome) => format!("not needed; it {}", would_be(outcome)),
        (Fate::Dropped, Ok(NameTree::Neg)) => "leads nowhere, so the others have its share".to_owned(),
        (Fate::Dropped, Ok(_)) => "fails, so the others have its share".to_owned(),
        (Fate::Dropped, Err(Unbound::Pending(_))) => "is not known yet, so the others have its share".to_owned(),
        (Fate::Dropped, Err(_)) => "is in error, so the others have its share".to_owned(),
        (Fate::Taken, Ok(NameTree::Fail)) => "fails, so nothing else is tried".to_owned(),
        (Fate::Taken, Ok(NameTree::Empty)) => "is there and empty, so nothing else is tried".to_owned(),
        (Fate::Taken | Fate::Shares(_), _) => return String::new(),
    };
    format!(": {reason}")
}

/// What a namer said.
fn told<E>(part: &Trace<E>) -> String {
    match (&part.outcome, part.parts.is_empty()) {
        (Ok(NameTree::Fail), _) => "fails".to_owned(),
        (Ok(NameTree::Empty), _) => "is there and empty".to_owned(),
        (_, false) => "reads it as".to_owned(),
        (Ok(NameTree::Leaf(bound)), true) => format!("binds it: {}", bound_to(bound)),
        (Ok(_), true) => "knows nothing of it".to_owned(),
        (Err(Unbound::Pending(_)), true) => "knows it, and not yet where it is".to_owned(),
        (Err(Unbound::UnknownNamer { path, .. }), true) => {
            flaw(path).map_or_else(|| "does not exist".to_owned(), |flaw| format!("cannot read it: {flaw}"))
        }
        (Err(Unbound::Namer { message, .. }), true) => format!("has an error: {message}"),
        (Err(reason), true) => format!("was asked for nothing: {reason}"),
    }
}

fn would_be<E>(outcome: &Outcome<E>) -> String {
    match outcome {
        Ok(NameTree::Leaf(bound)) => format!("would be {}", bound.id),
        Ok(NameTree::Neg) => "would lead nowhere".to_owned(),
        Ok(NameTree::Fail) => "would fail".to_owned(),
        Ok(NameTree::Empty) => "would be empty".to_owned(),
        Ok(NameTree::Alt(_) | NameTree::Union(_)) => "would be shared out".to_owned(),
        Err(Unbound::Pending(_)) => "would not be known yet".to_owned(),
        Err(_) => "would be in error".to_owned(),
    }
}

fn symbol<E>(outcome: &Outcome<E>) -> &'static str {
    match outcome {
        Ok(NameTree::Neg) => "~",
        Ok(NameTree::Fail) => "!",
        Ok(_) => "$",
        Err(_) => "…",
    }
}

/// Where requests go, in the end.
fn ending<E>(outcome: &Outcome<E>) -> Vec<String> {
    let tree = match outcome {
        Ok(tree) => tree,
        Err(Unbound::Pending(_)) => return vec!["It is known, and not yet where it is: requests wait.".to_owned()],
        Err(reason) => return vec![format!("It is not bound: {reason}")],
    };
    match tree {
        NameTree::Neg => vec!["It leads nowhere: no entry and no namer has an end for it.".to_owned()],
        NameTree::Fail => vec!["It fails, as the table says with `!`.".to_owned()],
        NameTree::Empty => vec!["It is there and empty, as the table says with `$`: requests fail.".to_owned()],
        NameTree::Leaf(bound) => vec![format!("It goes to {}", bound_to(bound))],
        NameTree::Alt(_) | NameTree::Union(_) => {
            let shares = tree.shares();
            let share = |it: &Share<'_, Bound<E>>| {
                let leads = it.leaf.map_or_else(|| "fails: nobody is there".to_owned(), bound_to);
                format!("{:>7}  {leads}", percent(it.share))
            };
            std::iter::once("It goes to".to_owned()).chain(shares.iter().map(share)).collect()
        }
    }
}

fn bound_to<E>(bound: &Bound<E>) -> String {
    let rest = if bound.residual.is_empty() { String::new() } else { format!(", with {} left for it", bound.residual) };
    let nobody = match (&bound.place, flaw(&bound.id)) {
        (Place::Vacant, Some(flaw)) => format!(", where nobody is: {flaw}"),
        (Place::Vacant, None) => ", where nobody is".to_owned(),
        _ => String::new(),
    };
    format!("{}{rest}{nobody}", bound.id)
}

/// A share of the requests: `25 %`, `0.1 %`.
fn percent(share: f64) -> String {
    let text = format!("{:.2}", share * 100.0);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn shares_are_short() {
        let cases = [(1.0, "100 %"), (0.25, "25 %"), (0.001, "0.1 %"), (1.0 / 3.0, "33.33 %"), (0.0, "0 %")];
        for (share, text) in cases {
            assert_eq!(percent(share), text);
        }
    }
}
