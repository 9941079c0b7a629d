//! What is shown of a matrix: what it is of, how far it is, what came of it.

use std::cell::RefCell;
use std::time::Duration;

use anstyle::AnsiColor;
use indexmap::IndexMap;
use serde_json::json;

use crate::cli::output::{Output, bold, dim, tint};
use crate::view::matrix::{Cell, CellResult, Conclusion, Matrix};
use crate::view::{Align, Table, elapsed};

/// Says what is going to be booted.
pub fn begin(matrix: &Matrix, isolate: bool, output: &Output) {
    let count = matrix.combinations.len();
    let word = if count == 1 { "combination" } else { "combinations" };
    output.say(&format!("{count} {word}, side by side:"));
    for compared in &matrix.services {
        let versions: Vec<String> = compared.versions.iter().map(|it| it.label()).collect();
        output.say(&format!("  {}  {}", bold(&compared.service), versions.join(", ")));
        let mut commits: IndexMap<&str, Vec<&str>> = IndexMap::new();
        for version in &compared.versions {
            commits.entry(version.commit.as_deref().unwrap_or_default()).or_default().push(&version.version);
        }
        for (commit, same) in commits.iter().filter(|(commit, same)| !commit.is_empty() && same.len() > 1) {
            let short = commit.get(..7).unwrap_or(commit);
            output.say(&format!("  {} are the same commit, {short}", same.join(" and ")));
        }
    }
    if matrix.shared.is_empty() {
        let word = if isolate { "each has everything for itself" } else { "they share nothing" };
        return output.say(&dim(&format!("  {word}")));
    }
    let names = |stateful: Option<bool>| {
        let shared = matrix.shared.iter().filter(|it| stateful.is_none_or(|wanted| it.stateful == wanted));
        shared.map(|it| it.service.as_str()).collect::<Vec<_>>().join(", ")
    };
    output.say(&dim(&format!("  they share {}", names(None))));
    let stateful = names(Some(true));
    if !stateful.is_empty() {
        let word = format!("  in {stateful} each sees what others wrote; `--isolate` gives each its own");
        output.say(&dim(&word));
    }
}

/// How far each combination is.
pub struct Progress<'a> {
    matrix: &'a Matrix,
    output: &'a Output,
    /// There is a line that is drawn anew.
    is_live: bool,
    stages: RefCell<Vec<Stage>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Boots,
    Ready,
    Runs,
    Done,
}

impl<'a> Progress<'a> {
    pub fn new(matrix: &'a Matrix, output: &'a Output) -> Self {
        let stages = RefCell::new(vec![Stage::Boots; matrix.combinations.len()]);
        let it = Self { matrix, output, is_live: output.is_live(), stages };
        it.draw();
        it
    }

    /// A combination is ready.
    pub fn ready(&self, place: usize, after: Duration) {
        if !self.is_live && !self.output.json {
            self.say(&dim(&format!("  {}  ready after {}", self.head(place), elapsed(after))));
        }
        self.set(place, Stage::Ready);
    }

    /// The command runs against it.
    pub fn runs(&self, place: usize) {
        self.set(place, Stage::Runs);
    }

    /// It is through.
    pub fn done(&self, place: usize, cell: &Cell) {
        let reason =
            cell.reason.as_ref().filter(|_| cell.code.is_none()).map(|it| format!(": {it}")).unwrap_or_default();
        self.say(&format!("  {}  {}{reason}", self.head(place), painted(&cell.brief())));
        if !cell.passed() {
            let lines = cell.last_lines.iter().map(|line| format!("      {} {line}", dim("|")));
            lines.for_each(|line| self.say(&line));
            if let Some(log) = cell.log.as_ref().filter(|_| !cell.last_lines.is_empty()) {
                self.say(&dim(&format!("      all that it wrote: {log}")));
            }
        }
        self.set(place, Stage::Done);
    }

    /// Nothing more comes.
    pub fn end(&self) {
        if self.is_live {
            self.output.status("");
        }
    }

    fn head(&self, place: usize) -> String {
        let combined = &self.matrix.combinations[place];
        format!("{}  {}", combined.name, combined.label())
    }

    fn say(&self, line: &str) {
        self.end();
        self.output.say(line);
    }

    fn set(&self, place: usize, stage: Stage) {
        self.stages.borrow_mut()[place] = stage;
        self.draw();
    }

    fn draw(&self) {
        if self.is_live {
            self.output.status(&self.status());
        }
    }

    /// `2 of 4 through · c3 runs: users v2, orders v1 · c4 boots`.
    fn status(&self) -> String {
        let stages = self.stages.borrow();
        let of = |stage: Stage| {
            let places = stages.iter().enumerate().filter(move |(_, it)| **it == stage).map(|(place, _)| place);
            places.collect::<Vec<_>>()
        };
        let names = |places: &[usize]| {
            places.iter().map(|&place| self.matrix.combinations[place].name.as_str()).collect::<Vec<_>>().join(", ")
        };
        let mut parts = vec![format!("{} of {} through", of(Stage::Done).len(), stages.len())];
        let (runs, boots) = (of(Stage::Runs), of(Stage::Boots));
        parts.extend(runs.iter().map(|&place| {
            let combined = &self.matrix.combinations[place];
            format!("{} runs: {}", combined.name, combined.label())
        }));
        if !boots.is_empty() {
            parts.push(format!("{} boot{}", names(&boots), if boots.len() == 1 { "s" } else { "" }));
        }
        parts.join(" · ")
    }
}

fn painted(brief: &str) -> String {
    match brief.starts_with('✓') {
        true => tint(brief, AnsiColor::Green),
        false => tint(brief, AnsiColor::Red),
    }
}

/// Tells what came of all.
pub fn report(matrix: &Matrix, isolate: bool, cells: &[Cell], output: &Output) {
    let conclusion = matrix.conclude(cells);
    if output.json {
        return output.json(&document(matrix, isolate, cells, &conclusion));
    }
    let mut lines = match matrix.services.as_slice() {
        [_, _] => grid(matrix, cells),
        _ => list(matrix, cells),
    };
    lines.iter_mut().for_each(|line| *line = in_colour(line, cells));
    if let Some(head) = lines.first_mut() {
        *head = dim(head);
    }
    output.lines(&lines);
    let told = conclusion.verdicts.iter().map(|told| (told.message.as_str(), told.compatible));
    let told: Vec<(&str, bool)> = told.collect();
    if !told.is_empty() || !conclusion.summary.is_empty() {
        output.line("");
    }
    for (message, good) in told {
        let mark = if good { tint("✓", AnsiColor::Green) } else { tint("✗", AnsiColor::Red) };
        output.line(&format!("{mark} {message}"));
    }
    conclusion.summary.iter().for_each(|line| output.line(&bold(line)));
}

/// The versions of one service down, those of the other across.
fn grid(matrix: &Matrix, cells: &[Cell]) -> Vec<String> {
    let [down, across] = matrix.services.as_slice() else { return Vec::new() };
    let name = |service: &str, version: &str| format!("{service} {version}");
    let heads: Vec<String> = across.versions.iter().map(|it| name(&across.service, &it.version)).collect();
    let columns = std::iter::once("").chain(heads.iter().map(String::as_str)).map(|head| (head, Align::Left));
    let mut table = Table::new(&columns.collect::<Vec<_>>());
    for (version, row) in down.versions.iter().zip(cells.chunks(across.versions.len())) {
        let cells = row.iter().map(Cell::brief);
        table.row(std::iter::once(name(&down.service, &version.version)).chain(cells).collect());
    }
    table.lines()
}

/// A line for each combination.
fn list(matrix: &Matrix, cells: &[Cell]) -> Vec<String> {
    let heads: Vec<String> = matrix.services.iter().map(|it| it.service.to_uppercase()).collect();
    let columns = [""].into_iter().chain(heads.iter().map(String::as_str)).chain(["RESULT"]);
    let mut table = Table::new(&columns.map(|head| (head, Align::Left)).collect::<Vec<_>>());
    for (combined, cell) in matrix.combinations.iter().zip(cells) {
        let versions = combined.versions.values().cloned();
        table.row(std::iter::once(combined.name.clone()).chain(versions).chain([cell.brief()]).collect());
    }
    table.lines()
}

/// Columns are laid out before there are colours in them.
fn in_colour(line: &str, cells: &[Cell]) -> String {
    let mut briefs: Vec<String> = cells.iter().map(Cell::brief).collect();
    briefs.sort();
    briefs.dedup();
    // Longer ones first: one may begin with another.
    briefs.sort_by_key(|brief| std::cmp::Reverse(brief.len()));
    let mut out = String::new();
    let mut rest = line;
    while !rest.is_empty() {
        let found = briefs.iter().find(|brief| rest.starts_with(brief.as_str()));
        let taken = found.map_or_else(|| rest.chars().next().map_or(0, char::len_utf8), String::len);
        let (text, behind) = rest.split_at(taken);
        out.push_str(&found.map_or(text.to_owned(), |brief| painted(brief)));
        rest = behind;
    }
    out
}

fn document(matrix: &Matrix, isolate: bool, cells: &[Cell], conclusion: &Conclusion) -> serde_json::Value {
    let combinations = matrix.combinations.iter().zip(cells).map(|(combined, cell)| {
        let mut value = json!(cell);
        value["name"] = json!(combined.name);
        value["versions"] = json!(combined.versions);
        value["services"] = json!(combined.services);
        value
    });
    json!({
        "services": matrix.services,
        "shared": matrix.shared,
        "isolated": isolate,
        "combinations": combinations.collect::<Vec<_>>(),
        "verdicts": conclusion.verdicts,
        "order": conclusion.order,
        "summary": conclusion.summary,
        "passed": cells.iter().all(|cell| cell.result == CellResult::Passed),
    })
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;

    use super::*;
    use crate::view::matrix::{Combined, Compare, Compared, Origin};

    fn matrix(services: &[(&str, &[&str])]) -> Matrix {
        let version =
            |it: &&str| Compare { version: (*it).into(), from: Origin::Manifest, folder: String::new(), commit: None };
        let compared = services.iter().map(|(service, versions)| Compared {
            service: (*service).into(),
            versions: versions.iter().map(version).collect(),
        });
        let counts: Vec<usize> = services.iter().map(|(_, versions)| versions.len()).collect();
        let all = crate::resilience::compat::combinations(&counts).into_iter().enumerate();
        let combined = all.map(|(place, chosen)| Combined {
            name: format!("c{}", place + 1),
            versions: services.iter().zip(chosen).map(|((name, all), at)| ((*name).into(), all[at].into())).collect(),
            services: Vec::new(),
            guest: String::new(),
        });
        let calls = vec![vec![false; services.len()]; services.len()];
        Matrix { services: compared.collect(), combinations: combined.collect(), shared: Vec::new(), calls }
    }

    fn cell(result: CellResult, code: Option<u8>) -> Cell {
        let (reason, ready_ms, log) = (None, None, None);
        Cell { result, code, reason, ready_ms, duration_ms: Some(1200), last_lines: Vec::new(), log }
    }

    #[test]
    fn two_services_make_a_grid_and_others_a_list() {
        let passed = || cell(CellResult::Passed, Some(0));
        let cells = [passed(), cell(CellResult::Failed, Some(3)), cell(CellResult::NotReady, None), passed()];
        let two = matrix(&[("users", &["v1", "v2"]), ("orders", &["v1", "v2"])]);
        assert_eq!(
            grid(&two, &cells),
            [
                "          orders v1      orders v2",
                "users v1  ✓ passed 1.2s  ✗ failed (3)",
                "users v2  ✗ not ready    ✓ passed 1.2s",
            ]
        );
        let one = matrix(&[("users", &["v1", "main"])]);
        assert_eq!(
            list(&one, &cells[..2]),
            ["    USERS  RESULT", "c1  v1     ✓ passed 1.2s", "c2  main   ✗ failed (3)"]
        );
        let line = &grid(&two, &cells)[1];
        let coloured = in_colour(line, &cells);
        assert_eq!((strip_str(&coloured).to_string(), coloured.matches("\u{1b}[32m").count()), (line.clone(), 1));
    }

    #[test]
    fn progress_tells_who_runs_and_who_boots() {
        let two = matrix(&[("users", &["v1", "v2"]), ("orders", &["v1", "v2"])]);
        let output = Output::plain().silent();
        let progress = Progress::new(&two, &output);
        assert_eq!(progress.status(), "0 of 4 through · c1, c2, c3, c4 boot");
        progress.done(0, &cell(CellResult::Passed, Some(0)));
        progress.ready(1, Duration::ZERO);
        progress.ready(2, Duration::ZERO);
        progress.runs(2);
        assert_eq!(progress.status(), "1 of 4 through · c3 runs: users v2, orders v1 · c4 boots");
    }
}
