//! What it costs to bind a name, by the number of entries: `benches/run --only dtab` runs it and shows a table.
//!
//! An object a line: the shape of the table, its entries, nanoseconds a bind (the least of many batches, so that a busy
//! machine counts as little as it can).
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark looks at the clock, prints, and stops at the first surprise"
)]

use std::hint::black_box;
use std::time::Instant;

use nagaya::dtab::{Answer, Dtab, Interpreter, Label, Limits, Namers, Path, Place, Table};

const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];
const BATCHES: usize = 30;
const BINDS: usize = 10_000;

/// A way to write a table of many services, and the name of one.
struct Shape {
    name: &'static str,
    entry: fn(usize) -> String,
    path: fn(usize) -> String,
}

const SHAPES: [Shape; 3] = [
    Shape {
        name: "canary a service",
        entry: |n| format!("/svc/s{n}=>1*/svc/s{n}-v2 & 99*/svc/s{n}-v1"),
        path: |n| format!("/svc/s{n}/orders/7"),
    },
    Shape { name: "domain a service", entry: |n| format!("/d{n}=>/svc/s{n}"), path: |n| format!("/d{n}/orders/7") },
    Shape {
        name: "wildcards",
        entry: |n| format!("/http/*/GET/s{n}=>/svc/s{n}"),
        path: |n| format!("/http/1.1/GET/s{n}"),
    },
];

fn main() {
    for shape in SHAPES {
        let cases = SIZES.map(|size| Case::new(&shape, size));
        for (case, ns) in cases.iter().zip(least(&cases, BATCHES)) {
            println!(r#"{{"shape": "{}", "entries": {}, "ns": {ns:.1}}}"#, shape.name, case.entries);
        }
    }
    let endless = Case { entries: 1, table: table("/s=>/s/a & /s/b"), paths: vec!["/s".parse().unwrap()] };
    println!(r#"{{"shape": "endless", "entries": 1, "ns": {:.1}}}"#, least(&[endless], BATCHES)[0]);
}

/// A table, and names that it binds.
struct Case {
    entries: usize,
    table: Table,
    paths: Vec<Path>,
}

impl Case {
    fn new(shape: &Shape, entries: usize) -> Self {
        let of_services: Vec<String> = (1..entries).map(shape.entry).collect();
        // Spread over the whole table, so that its size is felt by the caches as well.
        let paths = (0..BINDS).map(|n| (shape.path)(1 + n * 7919 % (entries - 1)).parse().unwrap());
        Self { entries, table: table(&format!("/svc=>/#/local;{}", of_services.join(";"))), paths: paths.collect() }
    }

    /// Nanoseconds a bind, of one batch.
    fn batch(&self, namers: &Namers<()>) -> f64 {
        let local = Dtab::default();
        let interpreter =
            Interpreter { table: &self.table, rules: &[], local: &local, namers, limits: Limits::default() };
        let start = Instant::now();
        for path in &self.paths {
            let _ = black_box(interpreter.bind(black_box(path)));
        }
        start.elapsed().as_nanos() as f64 / self.paths.len() as f64
    }
}

fn table(dtab: &str) -> Table {
    Table::new(dtab.parse().unwrap())
}

/// Whatever is below `/#/local` is bound.
fn namers() -> Namers<()> {
    let local = |rest: &[Label]| match rest {
        [] => Answer::Neg,
        _ => Answer::Bound { taken: 1, place: Place::At(()) },
    };
    Namers::default().with("/#/local".parse().unwrap(), local)
}

/// The least of many batches of each case. They take turns, so that all have the same share of quiet moments.
fn least(cases: &[Case], batches: usize) -> Vec<f64> {
    let namers = namers();
    let mut least = vec![f64::INFINITY; cases.len()];
    for _ in 0..batches {
        for (case, least) in cases.iter().zip(&mut least) {
            *least = case.batch(&namers).min(*least);
        }
    }
    least
}
