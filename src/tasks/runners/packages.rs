//! The packages of a JavaScript workspace: what turbo, Nx, lerna, lage and Rush run scripts of.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::tasks::around::Around;
use crate::tasks::formats::Node;
use crate::tasks::formats::json::Dialect;

/// A package with its folder.
pub struct Package {
    pub folder: PathBuf,
    pub name: String,
    pub json: Arc<Node>,
}

impl Package {
    fn read(around: &Around<'_>, path: &Path) -> Option<Self> {
        let json = around.json(path, Dialect::Strict).ok()?;
        let folder = path.parent()?.to_owned();
        let name = json.text_of("name").map(str::to_owned);
        let name = name.or_else(|| Some(folder.file_name()?.to_string_lossy().into_owned()))?;
        Some(Self { folder, name, json })
    }

    /// The line and command of a script.
    pub fn script(&self, name: &str) -> Option<(usize, &str)> {
        let scripts = self.json.below(&["scripts"]);
        let (key, command) = scripts.iter().find(|(key, _)| &*key.text == name)?;
        Some((key.at.line, command.text()?))
    }
}

/// The members of the workspace whose top is `folder`, without the top itself: by `workspaces`, pnpm-workspace.yaml or
/// lerna.json. Where none of these is, there are none.
pub fn members(around: &Around<'_>, folder: &Path) -> Vec<Package> {
    let Some(globs) = globs(around, folder) else { return Vec::new() };
    let is_member = |path: &&Path| {
        let inner = path.parent().and_then(|it| it.strip_prefix(folder).ok());
        inner.is_some_and(|inner| !inner.as_os_str().is_empty() && globs.0.is_match(inner) && !globs.1.is_match(inner))
    };
    around.below(folder, "package.json").filter(is_member).filter_map(|path| Package::read(around, path)).collect()
}

/// The package of a folder itself.
pub fn top(around: &Around<'_>, folder: &Path) -> Option<Package> {
    let path = folder.join("package.json");
    around.is_file(&path).then(|| Package::read(around, &path)).flatten()
}

/// What belongs to a workspace, and what is taken out again.
fn globs(around: &Around<'_>, folder: &Path) -> Option<(GlobSet, GlobSet)> {
    let pnpm = folder.join("pnpm-workspace.yaml");
    let lerna = folder.join("lerna.json");
    let mut patterns = Vec::new();
    if around.is_file(&pnpm)
        && let Ok(root) = around.yaml(&pnpm)
    {
        patterns.extend(root.texts_of("packages"));
    }
    if let Some(package) = top(around, folder)
        && let Some(workspaces) = package.json.get("workspaces")
    {
        patterns.extend(workspaces.get("packages").unwrap_or(workspaces).texts());
    }
    if patterns.is_empty()
        && around.is_file(&lerna)
        && let Ok(root) = around.json(&lerna, Dialect::Comments)
    {
        let own = root.texts_of("packages");
        patterns.extend(if own.is_empty() { vec!["packages/*".to_owned()] } else { own });
    }
    if patterns.is_empty() {
        return None;
    }
    let (mut wanted, mut unwanted) = (GlobSetBuilder::new(), GlobSetBuilder::new());
    for pattern in &patterns {
        let (set, pattern) = match pattern.strip_prefix('!') {
            Some(pattern) => (&mut unwanted, pattern),
            None => (&mut wanted, pattern.as_str()),
        };
        let pattern = pattern.trim_start_matches("./").trim_end_matches('/');
        // `*` does not go beyond a folder.
        if let Ok(glob) = GlobBuilder::new(pattern).literal_separator(true).build() {
            set.add(glob);
        }
    }
    Some((wanted.build().ok()?, unwanted.build().ok()?))
}
