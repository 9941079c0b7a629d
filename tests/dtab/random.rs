//! What holds whatever is written: random values and texts, the same ones on every run.
//!
//! `NAGAYA_FULL` makes it more of them.

use std::collections::HashMap;

use fastrand::Rng;
use nagaya::dtab::{
    Dentry, Dtab, Element, Evaluated, Fate, Label, NameTree, Outcome, Path, Prefix, Table, Trace, Weight, Weighted,
};
use nagaya::view::delegate_tree::{Addr, DelegateTree};

use super::fixture::{Fixture, Said, story};

fn rounds() -> u64 {
    if std::env::var_os("NAGAYA_FULL").is_some() { 30_000 } else { 3_000 }
}

/// Few different elements, so that names meet; now and then any bytes.
fn label(random: &mut Rng) -> Label {
    let bytes: Vec<u8> = match random.u8(..20) {
        0 => (0..random.usize(1..4)).map(|_| random.u8(..)).collect(),
        one => vec![b"abcd#$*x"[usize::from(one) % 8]],
    };
    Label::new(&bytes).unwrap()
}

fn path(random: &mut Rng) -> Path {
    Path::new((0..random.usize(..4)).map(|_| label(random)).collect())
}

fn prefix(random: &mut Rng) -> Prefix {
    let element = |random: &mut Rng| if random.u8(..4) == 0 { Element::Any } else { Element::Label(label(random)) };
    Prefix::new((0..random.usize(..4)).map(|_| element(random)).collect())
}

fn weight(random: &mut Rng) -> Weight {
    let value = match random.u8(..4) {
        0 => f64::from(random.u8(..3)),
        1 => random.f64(),
        2 => f64::from_bits(random.u64(..) >> 1),
        _ => f64::from(random.u16(..)) / 100.0,
    };
    Weight::new(value).unwrap_or(Weight::ONE)
}

fn tree(random: &mut Rng, depth: usize) -> NameTree<Path> {
    let branches = random.usize(2..4);
    match random.u8(..if depth == 0 { 8 } else { 12 }) {
        0 => NameTree::Neg,
        1 => NameTree::Fail,
        2 => NameTree::Empty,
        3..8 => NameTree::Leaf(path(random)),
        8 | 9 => NameTree::Alt((0..branches).map(|_| tree(random, depth - 1)).collect()),
        _ => {
            let branch = |random: &mut Rng| Weighted { weight: weight(random), tree: tree(random, depth - 1) };
            NameTree::Union((0..branches).map(|_| branch(random)).collect())
        }
    }
}

fn dtab(random: &mut Rng) -> Dtab {
    let entries = random.usize(..7);
    (0..entries).map(|_| Dentry { prefix: prefix(random), tree: tree(random, 2) }).collect()
}

#[test]
fn what_is_printed_reads_back_the_same() {
    for seed in 0..rounds() {
        let random = &mut Rng::with_seed(seed);
        let (path, prefix, tree, dtab) = (path(random), prefix(random), tree(random, 4), dtab(random));
        assert_eq!(path.to_string().parse(), Ok(path), "seed {seed}");
        assert_eq!(prefix.to_string().parse(), Ok(prefix), "seed {seed}");
        assert_eq!(tree.to_string().parse(), Ok(tree), "seed {seed}");
        assert_eq!(dtab.to_string().parse(), Ok(dtab), "seed {seed}");
    }
}

/// As finagle does it, by going through all entries, written once more from its description.
fn naive_lookup(dtab: &Dtab, path: &Path) -> NameTree<Path> {
    let mut found = Vec::new();
    for entry in dtab.entries().iter().rev() {
        let elements = entry.prefix.elements();
        let is_met = |place: usize| match (&elements[place], path.labels().get(place)) {
            (Element::Label(wanted), Some(label)) => wanted.as_bytes() == label.as_bytes(),
            (Element::Any, Some(_)) => true,
            (_, None) => false,
        };
        if (0..elements.len()).all(is_met) {
            let rest = &path.labels()[elements.len()..];
            found.push(entry.tree.map(&mut |leaf| Path::new(leaf.labels().iter().chain(rest).cloned().collect())));
        }
    }
    match found.len() {
        0 => NameTree::Neg,
        1 => found.remove(0),
        _ => NameTree::Alt(found),
    }
}

#[test]
fn an_indexed_look_up_finds_what_a_naive_one_does() {
    for seed in 0..rounds() {
        let random = &mut Rng::with_seed(seed);
        let (base, local) = (dtab(random), dtab(random));
        let mut whole = base.clone();
        whole.extend(local.clone());
        let table = Table::new(base);
        for _ in 0..10 {
            let path = path(random);
            let matches = table.matches(&[], &local, &path);
            let found = matches.iter().map(|it| it.dentry.delegate(&path).unwrap()).collect();
            let expected = naive_lookup(&whole, &path);
            assert_eq!(NameTree::alternatives(found), expected, "seed {seed}: {path} in {whole}");
            assert_eq!(whole.lookup(&path), expected, "seed {seed}: {path} in {whole}");
        }
    }
}

fn fixture(random: &mut Rng) -> Fixture {
    let words = ["bound", "bound-empty", "neg", "fail", "empty", "error", "pending"];
    let said = |random: &mut Rng| match random.u8(..4) {
        0 => Said::Tree(tree(random, 1)),
        _ => Said::Word(words[random.usize(..words.len())].to_owned()),
    };
    let names = |random: &mut Rng| -> HashMap<String, Said> {
        (0..random.usize(..4)).map(|_| (path(random).to_string(), said(random))).collect()
    };
    let mut fixture = Fixture::new(&dtab(random).to_string()).local(&dtab(random).to_string());
    fixture = fixture.namer("/a", names(random)).namer("/a", names(random)).namer("/#", names(random));
    fixture.limits.depth = random.usize(..12);
    fixture.limits.work = random.usize(..300);
    fixture
}

#[test]
fn whoever_watches_changes_nothing() {
    let (mut bound, rounds) = (0, rounds() / 6);
    for seed in 0..rounds {
        let random = &mut Rng::with_seed(seed);
        let fixture = fixture(random);
        let path = path(random);
        let outcome = fixture.interpreter().bind(&path);
        let trace = fixture.interpreter().delegate(&path);
        assert_eq!(trace.outcome, outcome, "seed {seed}: {path} in {}", fixture.table.dtab());
        assert!(story(&trace).starts_with(&path.to_string()));
        assert_coherent(&trace);
        let shown = DelegateTree::new(&trace, &|_| Addr::Neg);
        assert_eq!(serde_json::from_value::<DelegateTree>(serde_json::to_value(&shown).unwrap()).unwrap(), shown);
        bound += u64::from(outcome.is_ok());
        assert_sound(&outcome, random);
    }
    assert!(bound > rounds / 4, "only {bound} were bound");
}

/// What was taken is what came of it all, and what is shared out is whole.
fn assert_coherent(trace: &Trace<()>) {
    let taken: Vec<&Trace<()>> = trace.parts.iter().filter(|part| part.fate == Fate::Taken).collect();
    assert!(taken.len() <= 1 && taken.iter().all(|part| part.outcome == trace.outcome), "{trace:?}");
    let shares =
        trace.parts.iter().filter_map(|part| if let Fate::Shares(share) = part.fate { Some(share) } else { None });
    let whole: f64 = shares.clone().sum();
    assert!(shares.count() == 0 || whole == 0.0 || (whole - 1.0).abs() < 1e-9, "{trace:?}");
    trace.parts.iter().for_each(assert_coherent);
}

/// What is bound has no alternatives, is simple, and is shared out whole.
fn assert_sound(outcome: &Outcome<()>, random: &mut Rng) {
    let Ok(tree) = outcome else { return };
    let ids = tree.map(&mut |bound| bound.id.clone());
    assert!(!format!("{ids:?}").contains("Alt"), "{ids}");
    assert_eq!(ids.clone().simplified(), ids);
    let whole: f64 = tree.shares().iter().map(|share| share.share).sum();
    assert!((whole - 1.0).abs() < 1e-9, "{ids}: {whole}");
    let drawn = tree.draw(random.f64());
    assert!(drawn.is_none_or(|leaf| tree.shares().iter().any(|share| share.leaf == Some(leaf))));
}

#[test]
fn a_simple_tree_evaluates_to_the_same() {
    for seed in 0..rounds() {
        let tree = tree(&mut Rng::with_seed(seed), 4);
        let simple = tree.clone().simplified();
        assert_eq!(simple.clone().simplified(), simple, "seed {seed}: {tree}");
        let leaves = |tree: &NameTree<Path>| match tree.evaluated() {
            Evaluated::Leaves(leaves) => Some(leaves.into_iter().cloned().collect::<Vec<_>>()),
            Evaluated::Neg | Evaluated::Fail => None,
        };
        assert_eq!(leaves(&simple), leaves(&tree), "seed {seed}: {tree}");
    }
}

#[test]
fn no_bytes_make_it_panic() {
    let words =
        ["/", "/a", "=>", "|", "&", "*", "0.5*", "(", ")", ";", ",", "\\x4", "1", "~", "!", "$", "#", "\n", " "];
    for seed in 0..rounds() * 3 {
        let random = &mut Rng::with_seed(seed);
        let mut text = String::new();
        for _ in 0..random.usize(..12) {
            match random.u8(..8) {
                0 => text.push(random.char(..)),
                1 => text.push_str(&String::from_utf8_lossy(&[random.u8(..), random.u8(..)])),
                _ => text.push_str(words[random.usize(..words.len())]),
            }
        }
        let errors = [
            text.parse::<Dtab>().err(),
            Dtab::parse_joined(&text).err(),
            text.parse::<NameTree<Path>>().err(),
            text.parse::<Prefix>().err(),
            text.parse::<Path>().err(),
        ];
        for error in errors.into_iter().flatten() {
            assert!(text.is_char_boundary(error.offset) && error.line > 0 && error.column > 0, "seed {seed}: {text:?}");
            assert_eq!(text[error.offset..].chars().next(), error.found, "seed {seed}: {text:?}");
            assert!(error.excerpt().ends_with('^') && !error.to_string().is_empty());
        }
    }
}
