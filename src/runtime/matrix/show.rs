//! A matrix as it is shown.

use super::{Row, Version, Word};
use crate::manifest::GUEST;
use crate::model::{Service, ServiceName, Workspace};
use crate::plan::{Combination, Matrix, bases, calls};
use crate::resilience::compat::combinations;
use crate::view::matrix::{self as shown, Compare, Compared, Origin, Shared};

/// The services of a matrix, its combinations, and what these share.
pub(super) fn show(workspace: &Workspace, rows: &[Row<'_>], matrix: &Matrix) -> shown::Matrix {
    let bases = bases(workspace, matrix);
    let names: Vec<&ServiceName> = bases.iter().map(|&place| &workspace.service(place).name).collect();
    let combined = |(combination, versions): (&Combination, Vec<usize>)| {
        let labels = rows.iter().zip(versions);
        let guest = ServiceName::new(GUEST).map(|name| combination.copy_of(&name)).unwrap_or_default();
        shown::Combined {
            name: combination.name.clone(),
            versions: labels.map(|(row, it)| (row.service.name.to_string(), row.versions[it].0.text.clone())).collect(),
            services: names.iter().map(|name| combination.copy_of(name)).filter(|name| *name != guest).collect(),
            guest,
        }
    };
    let counts: Vec<usize> = rows.iter().map(|row| row.versions.len()).collect();
    let is_shared = |service: &&Service| {
        let group = service.version.as_ref().map_or(&service.name, |version| &version.of);
        !names.contains(&group) && service.external().is_none()
    };
    let shared = workspace.services.values().filter(is_shared);
    shown::Matrix {
        services: rows.iter().map(|row| show_row(workspace, row)).collect(),
        combinations: matrix.combinations.iter().zip(combinations(&counts)).map(combined).collect(),
        shared: shared.map(|it| Shared { service: it.name.to_string(), stateful: it.stateful }).collect(),
        calls: reach(workspace, rows),
    }
}

fn show_row(workspace: &Workspace, row: &Row<'_>) -> Compared {
    let version = |(word, version): &(&Word, Version)| {
        let (from, folder, commit) = match version {
            Version::Declared(name) => {
                let folder = workspace.services.get(name).map(|it| it.working_dir.clone()).unwrap_or_default();
                (Origin::Manifest, folder, None)
            }
            Version::Folder { folder, .. } => (Origin::Folder, folder.clone(), None),
            Version::Git(found) => (Origin::Git, found.repository.clone(), Some(found.commit.clone())),
        };
        Compare { version: word.text.clone(), from, folder: folder.display().to_string(), commit }
    };
    Compared { service: row.service.name.to_string(), versions: row.versions.iter().map(version).collect() }
}

/// For each two of the services, whether the first one calls the second, itself or through others.
fn reach(workspace: &Workspace, rows: &[Row<'_>]) -> Vec<Vec<bool>> {
    let calls = calls(workspace);
    let places: Vec<Option<usize>> = rows.iter().map(|row| workspace.index(row.service.name.as_str())).collect();
    let reached = |from: usize| {
        let mut seen = vec![false; calls.len()];
        let mut next: Vec<usize> = calls[from].clone();
        while let Some(place) = next.pop() {
            if !std::mem::replace(&mut seen[place], true) {
                next.extend(&calls[place]);
            }
        }
        seen
    };
    let row = |from: &Option<usize>| {
        let seen = from.map(reached).unwrap_or_default();
        places.iter().map(|to| to.and_then(|to| seen.get(to)).copied().unwrap_or(false)).collect()
    };
    places.iter().map(row).collect()
}
