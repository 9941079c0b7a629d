//! Tables with namers whose answers are written down.

use std::collections::HashMap;

use nagaya::dtab::{
    Answer, Dtab, Interpreter, Label, Limits, NameTree, Namers, Outcome, Path, Place, Ruled, Table, Trace,
};

/// What a namer of a test says of a path: `bound`, `bound-empty`, `neg`, `fail`, `empty`, `error`, `pending`, or a tree.
#[derive(Debug, Clone)]
pub enum Said {
    Word(String),
    Tree(NameTree<Path>),
}

/// A table, the entries of a request, and namers. Endpoints are nothing.
pub struct Fixture {
    pub table: Table,
    pub rules: Vec<Ruled>,
    pub local: Dtab,
    pub namers: Namers<()>,
    pub limits: Limits,
}

impl Fixture {
    pub fn new(dtab: &str) -> Self {
        let table = Table::new(dtab.parse().unwrap());
        Self { table, rules: Vec::new(), local: Dtab::default(), namers: Namers::default(), limits: Limits::default() }
    }

    pub fn local(self, dtab: &str) -> Self {
        Self { local: dtab.parse().unwrap(), ..self }
    }

    /// One more entry that is for some requests alone, of which this is one.
    pub fn rule(mut self, label: &str, dentry: &str) -> Self {
        self.rules.push(Ruled { label: label.into(), dentry: dentry.parse().unwrap() });
        self
    }

    /// One more namer. Of the names that a path starts with, the longest counts; the rest is left.
    pub fn namer(self, prefix: &str, names: HashMap<String, Said>) -> Self {
        let names: Vec<(Path, Said)> = names.into_iter().map(|(path, said)| (path.parse().unwrap(), said)).collect();
        let namers = self.namers.with(prefix.parse().unwrap(), move |rest: &[Label]| answer(&names, rest));
        Self { namers, ..self }
    }

    /// A namer that binds the names of one element that are listed here.
    pub fn services(self, prefix: &str, names: &[&str]) -> Self {
        let bound = |name: &&str| (format!("/{name}"), Said::Word("bound".to_owned()));
        self.namer(prefix, names.iter().map(bound).collect())
    }

    pub fn interpreter(&self) -> Interpreter<'_, ()> {
        Interpreter {
            table: &self.table,
            rules: &self.rules,
            local: &self.local,
            namers: &self.namers,
            limits: self.limits,
        }
    }

    pub fn bind(&self, path: &str) -> Outcome<()> {
        self.interpreter().bind(&path.parse().unwrap())
    }

    pub fn delegate(&self, path: &str) -> Trace<()> {
        self.interpreter().delegate(&path.parse().unwrap())
    }
}

fn answer(names: &[(Path, Said)], rest: &[Label]) -> Answer<()> {
    let starts = |name: &&(Path, Said)| rest.starts_with(name.0.labels());
    let Some((name, said)) = names.iter().filter(starts).max_by_key(|(name, _)| name.len()) else {
        return Answer::Neg;
    };
    let taken = name.len();
    match said {
        Said::Tree(tree) => Answer::Tree(tree.map(&mut |leaf| leaf.join(&rest[taken..]))),
        Said::Word(word) => match word.as_str() {
            "bound" => Answer::Bound { taken, place: Place::At(()) },
            "bound-empty" => Answer::Bound { taken, place: Place::Vacant },
            "neg" => Answer::Neg,
            "fail" => Answer::Tree(NameTree::Fail),
            "empty" => Answer::Tree(NameTree::Empty),
            "pending" => Answer::Pending,
            "error" => Answer::Error("it broke".to_owned()),
            other => panic!("a namer cannot say {other}"),
        },
    }
}

/// The story of a trace, where nothing more is known of those that are absent.
pub fn story<E>(trace: &Trace<E>) -> String {
    nagaya::view::story(trace, &|_| None)
}
