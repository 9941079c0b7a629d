//! What a compatibility matrix is of, what came of it, and how that is told.

use std::time::Duration;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::elapsed;
use crate::resilience::compat::{Finding, Order, Relation, findings, order};

/// What runs side by side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matrix {
    /// The services that are compared.
    pub services: Vec<Compared>,
    /// All combinations of their versions, the present one first.
    pub combinations: Vec<Combined>,
    /// What all combinations share.
    pub shared: Vec<Shared>,
    /// For each two of the services, whether the first one calls the second.
    pub calls: Vec<Vec<bool>>,
}

/// A service and its versions, the present one first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compared {
    pub service: String,
    pub versions: Vec<Compare>,
}

/// One of several versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compare {
    /// As it was asked for.
    pub version: String,
    pub from: Origin,
    pub folder: String,
    /// What git knows it by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

/// Where a version is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    Manifest,
    Folder,
    Git,
}

/// One combination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Combined {
    /// `c1`.
    pub name: String,
    /// The version of each service.
    pub versions: IndexMap<String, String>,
    /// The services that it has for itself.
    pub services: Vec<String>,
    /// The one in whose place the command runs.
    pub guest: String,
}

/// A service that all combinations call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shared {
    pub service: String,
    /// It keeps what one combination writes, for the others to see.
    pub stateful: bool,
}

/// What came of one combination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cell {
    pub result: CellResult,
    /// The command's own, where it ended.
    pub code: Option<u8>,
    /// Why it did not pass.
    pub reason: Option<String>,
    /// How long it took to be ready, and the command after that.
    pub ready_ms: Option<u64>,
    pub duration_ms: Option<u64>,
    /// The last lines of the command, or of the service that did not come up.
    pub last_lines: Vec<String>,
    /// All that the command wrote.
    pub log: Option<String>,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CellResult {
    Passed,
    Failed,
    /// The command did not end in time.
    TimedOut,
    NotReady,
}

/// A sentence about a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    pub service: String,
    pub version: String,
    /// The present versions that it meets.
    pub with: IndexMap<String, String>,
    pub relation: Relation,
    pub compatible: bool,
    pub message: String,
}

/// All that follows from the cells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Conclusion {
    pub verdicts: Vec<Told>,
    /// What to release after what, where an order of single releases works.
    pub order: Option<Vec<Release>>,
    /// The rest, in words.
    pub summary: Vec<String>,
}

/// One release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Release {
    pub service: String,
    pub version: String,
}

impl Cell {
    /// Whether the combination works.
    pub fn passed(&self) -> bool {
        self.result == CellResult::Passed
    }

    /// In a few words: `passed 1.2s`, `failed (3)`.
    pub fn brief(&self) -> String {
        match (self.result, self.code) {
            (CellResult::Passed, _) => {
                let took = self.duration_ms.map(|millis| elapsed(Duration::from_millis(millis)));
                format!("✓ passed {}", took.unwrap_or_default()).trim_end().to_owned()
            }
            (CellResult::Failed, Some(code)) => format!("✗ failed ({code})"),
            (CellResult::Failed, None) => "✗ failed".to_owned(),
            (CellResult::TimedOut, _) => "✗ timed out".to_owned(),
            (CellResult::NotReady, _) => "✗ not ready".to_owned(),
        }
    }
}

impl Compare {
    /// `main (1a2b3c4)`.
    pub fn label(&self) -> String {
        match &self.commit {
            Some(commit) => format!("{} ({})", self.version, commit.get(..7).unwrap_or(commit)),
            None => self.version.clone(),
        }
    }
}

impl Combined {
    /// `users v1, orders v2`.
    pub fn label(&self) -> String {
        self.versions.iter().map(|(service, version)| named(service, version)).collect::<Vec<_>>().join(", ")
    }
}

/// A version in a sentence. One that is called `.` is the files as they are.
fn named(service: &str, version: &str) -> String {
    if version == "." { format!("{service} as it is") } else { format!("{service} {version}") }
}

impl Matrix {
    /// What follows from the cells of all combinations, in their order.
    pub fn conclude(&self, cells: &[Cell]) -> Conclusion {
        let counts: Vec<usize> = self.services.iter().map(|it| it.versions.len()).collect();
        let works: Vec<bool> = cells.iter().map(Cell::passed).collect();
        let Some(found) = findings(&counts, &self.calls, &works) else {
            let label = self.combinations.first().map(Combined::label).unwrap_or_default();
            let text = format!("what is compared with, {label}, does not pass itself: that says nothing of the others");
            return Conclusion { verdicts: Vec::new(), order: None, summary: vec![text] };
        };
        let verdicts = found.iter().flat_map(|finding| self.tell(finding, cells)).collect();
        let order = order(&counts, &works);
        let (steps, text) = match &order {
            None => (None, None),
            Some(order) => self.advise(order),
        };
        Conclusion { verdicts, order: steps, summary: text.into_iter().collect() }
    }

    fn version(&self, service: usize, version: usize) -> (&str, &str) {
        let compared = &self.services[service];
        (&compared.service, &compared.versions[version].version)
    }

    fn name(&self, service: usize, version: usize) -> String {
        let (service, version) = self.version(service, version);
        named(service, version)
    }

    /// A sentence for each service that calls the new version, or is called by it. Where it does not work beside several
    /// of them, nobody knows with which, and one sentence is for all.
    fn tell(&self, finding: &Finding, cells: &[Cell]) -> Vec<Told> {
        let near: Vec<_> =
            finding.others.iter().filter(|(_, relation)| *relation != Relation::Beside).copied().collect();
        let told = |others: &[(usize, Relation)], relation: Relation, message: String| {
            let (service, version) = self.version(finding.service, finding.version);
            let with = others.iter().map(|(other, _)| self.version(*other, 0));
            let with = with.map(|(service, version)| (service.to_owned(), version.to_owned())).collect();
            let (service, version) = (service.to_owned(), version.to_owned());
            Told { service, version, with, relation, compatible: finding.works, message }
        };
        let new = self.name(finding.service, finding.version);
        let why = cells[finding.combination].reason.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
        match near.as_slice() {
            [] => {
                let does = if finding.works { "works" } else { "does not work" };
                let with = "with all others as they are";
                vec![told(&finding.others, Relation::Beside, format!("{new} {does} {with}{why}"))]
            }
            several if several.len() > 1 && !finding.works => {
                let others: Vec<String> = several.iter().map(|(other, _)| self.name(*other, 0)).collect();
                let text = format!("{new} does not work beside {}{why}", others.join(" and "));
                let relation = several[0].1;
                let is_same = several.iter().all(|(_, other)| *other == relation);
                vec![told(several, if is_same { relation } else { Relation::Both }, text)]
            }
            pairs => {
                let tell = |pair: &(usize, Relation)| {
                    let text = sentence(&new, &self.name(pair.0, 0), pair.1, finding.works);
                    told(&[*pair], pair.1, format!("{text}{why}"))
                };
                pairs.iter().map(tell).collect()
            }
        }
    }

    /// In which order to release.
    fn advise(&self, order: &Order) -> (Option<Vec<Release>>, Option<String>) {
        let newest: Vec<(usize, usize)> =
            self.services.iter().map(|it| it.versions.len() - 1).enumerate().filter(|(_, last)| *last > 0).collect();
        let names = |steps: &[(usize, usize)]| {
            steps.iter().map(|&(service, version)| self.name(service, version)).collect::<Vec<_>>()
        };
        let releases = |steps: &[(usize, usize)]| {
            let release = |&(service, version): &(usize, usize)| {
                let (service, version) = self.version(service, version);
                Release { service: service.to_owned(), version: version.to_owned() }
            };
            Some(steps.iter().map(release).collect())
        };
        let all = names(&newest).join(" and ");
        match order {
            Order::Alone => (releases(&newest), Some(format!("{all} can be released"))),
            Order::Any => (releases(&newest), Some(format!("{all} can be released one after the other, in any order"))),
            Order::Steps(steps) => {
                let text = format!("release one after the other: {}", names(steps).join(", then "));
                (releases(steps), Some(text))
            }
            Order::Together => (None, Some(format!("{all} can only be released together"))),
            Order::Never if newest.len() > 1 => (None, Some(format!("{all} do not work together"))),
            Order::Never => (None, Some(format!("{all} cannot be released"))),
        }
    }
}

/// What is to be said of a new version and the present one of a service that calls it or is called by it.
fn sentence(new: &str, present: &str, relation: Relation, works: bool) -> String {
    let (subject, object, word) = match relation {
        Relation::Forward => (present, new, "forward compatible"),
        Relation::Backward => (new, present, "backward compatible"),
        Relation::Both => (new, present, "compatible in both directions"),
        Relation::Beside => (new, present, "compatible"),
    };
    match works {
        true => format!("{subject} works with {object}: {word}"),
        false => format!("{subject} does not work with {object}: not {word}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(services: &[(&str, &[&str])], calls: &[(usize, usize)]) -> Matrix {
        let version = |version: &&str| Compare {
            version: (*version).to_owned(),
            from: Origin::Manifest,
            folder: String::new(),
            commit: None,
        };
        let compared = |(service, versions): &(&str, &[&str])| Compared {
            service: (*service).to_owned(),
            versions: versions.iter().map(version).collect(),
        };
        let count = services.len();
        let calls = (0..count).map(|from| (0..count).map(|to| calls.contains(&(from, to))).collect()).collect();
        let services: Vec<Compared> = services.iter().map(compared).collect();
        let first = services.iter().map(|it| (it.service.clone(), it.versions[0].version.clone())).collect();
        let combined = Combined { name: "c1".into(), versions: first, services: Vec::new(), guest: String::new() };
        Matrix { services, combinations: vec![combined], shared: Vec::new(), calls }
    }

    fn cell(passed: bool) -> Cell {
        let result = if passed { CellResult::Passed } else { CellResult::Failed };
        let reason = (!passed).then(|| "exited with 1".to_owned());
        let (ready_ms, duration_ms) = (None, Some(1200));
        Cell { result, code: None, reason, ready_ms, duration_ms, last_lines: Vec::new(), log: None }
    }

    fn said(matrix: &Matrix, works: &[bool]) -> Vec<String> {
        let conclusion = matrix.conclude(&works.iter().map(|works| cell(*works)).collect::<Vec<_>>());
        conclusion.verdicts.into_iter().map(|told| told.message).chain(conclusion.summary).collect()
    }

    #[test]
    fn sentences_say_who_goes_with_whom() {
        let pair = matrix(&[("users", &["v1", "v2"]), ("orders", &["v1", "v2"])], &[(1, 0)]);
        assert_eq!(
            said(&pair, &[true, false, true, true]),
            [
                "orders v1 works with users v2: forward compatible",
                "orders v2 does not work with users v1: not backward compatible (exited with 1)",
                "release one after the other: users v2, then orders v2",
            ]
        );
        assert_eq!(
            said(&pair, &[true; 4]).last().unwrap(),
            "users v2 and orders v2 can be released one after the other, in any order"
        );
        let ends = [
            ([true, false, false, true], "users v2 and orders v2 can only be released together"),
            ([true, true, true, false], "users v2 and orders v2 do not work together"),
        ];
        for (works, end) in ends {
            assert_eq!(said(&pair, &works).last().unwrap(), end);
        }
        assert_eq!(
            said(&pair, &[false, true, true, true]),
            ["what is compared with, users v1, orders v1, does not pass itself: that says nothing of the others"]
        );
    }

    #[test]
    fn with_several_neighbours_a_failure_is_nobodys() {
        let three = matrix(&[("users", &["v1", "v2"]), ("orders", &["v1"]), ("web", &["v1"])], &[(1, 0), (2, 0)]);
        assert_eq!(
            said(&three, &[true, true]),
            [
                "orders v1 works with users v2: forward compatible",
                "web v1 works with users v2: forward compatible",
                "users v2 can be released"
            ]
        );
        assert_eq!(
            said(&three, &[true, false]),
            ["users v2 does not work beside orders v1 and web v1 (exited with 1)", "users v2 cannot be released"]
        );
        let alone = matrix(&[("users", &[".", "next"])], &[]);
        assert_eq!(
            said(&alone, &[true, true]),
            ["users next works with all others as they are", "users next can be released"]
        );
        let same = matrix(&[("users", &["v1"])], &[]);
        assert_eq!(said(&same, &[true]), [""; 0]);
    }

    #[test]
    fn cells_are_brief() {
        assert_eq!(cell(true).brief(), "✓ passed 1.2s");
        assert_eq!(Cell { code: Some(3), ..cell(false) }.brief(), "✗ failed (3)");
    }
}
