//! just: <https://just.systems/man/en/>. Recipes, attributes, imports and modules; nothing is evaluated.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::just_syntax::{Head, Lines, attributes, head, quoted};
use crate::tasks::look::{Look, tidy};
use crate::tasks::runner::{Read, Reading, Runner, Via};
use crate::tasks::{Definition, Draft, Origin, Unreadable};

pub const RUNNER: Runner =
    Runner::new("just", read).first(&["~justfile", "~.justfile"]).runs(Via::Path, &["just", "{}"]);

const PLATFORMS: [&str; 8] = ["android", "dragonfly", "freebsd", "linux", "macos", "netbsd", "openbsd", "windows"];

fn read(look: &Look<'_>) -> Read {
    let mut justfile = Justfile {
        look,
        read: HashSet::from([look.path.to_owned()]),
        open: vec![look.path.to_owned()],
        reading: Reading::default(),
    };
    let mut module = Module::default();
    justfile.file(look.path, look.text, &mut module)?;
    justfile.reading.tasks = module.finish();
    Ok(Some(justfile.reading))
}

struct Justfile<'a> {
    look: &'a Look<'a>,
    read: HashSet<PathBuf>,
    /// The files that import each other down to the one that is read now.
    open: Vec<PathBuf>,
    reading: Reading,
}

/// The recipes of a justfile and what it imports.
#[derive(Default)]
struct Module {
    drafts: Vec<Draft>,
    aliases: Vec<(String, String)>,
    /// Recipes of modules, which have their names already.
    inner: Vec<Draft>,
}

/// What stands above a recipe.
#[derive(Default)]
struct Above {
    comment: Option<String>,
    attributes: Vec<(String, Option<String>)>,
}

impl Module {
    fn finish(mut self) -> Vec<Draft> {
        for (alias, target) in self.aliases {
            if let Some(draft) = self.drafts.iter_mut().chain(&mut self.inner).find(|draft| draft.name == target) {
                draft.aliases.push(alias);
            }
        }
        self.drafts.extend(self.inner);
        self.drafts
    }

    /// Adds a recipe. The same name again is another platform's, or was imported and gives way.
    fn add(&mut self, draft: Draft) {
        let Some(old) = self.drafts.iter_mut().find(|it| it.name == draft.name) else {
            self.drafts.push(draft);
            return;
        };
        let is_imported = |it: &Draft| it.definition == Definition::Included;
        match (old.platforms.is_empty(), draft.platforms.is_empty()) {
            // The one that runs here is the one that is told of.
            (false, false) if old.is_for_here() || !draft.is_for_here() => old.platforms.extend(draft.platforms),
            (false, false) => {
                let platforms = std::mem::replace(&mut old.platforms, draft.platforms.clone());
                *old = draft;
                old.platforms.extend(platforms);
            }
            _ if is_imported(&draft) && !is_imported(old) => {}
            _ => *old = draft,
        }
    }
}

impl Justfile<'_> {
    fn file(&mut self, path: &Path, text: &str, module: &mut Module) -> Result<(), Unreadable> {
        let imported = path != self.look.path;
        let mut above = Above::default();
        let mut lines = Lines::of(text);
        while let Some((number, line)) = lines.next_item() {
            let trimmed = line.trim();
            if trimmed.is_empty() {
                above = Above::default();
            } else if let Some(comment) = trimmed.strip_prefix('#') {
                above.comment = Some(comment.trim().to_owned()).filter(|_| !comment.starts_with('!'));
            } else if line.starts_with([' ', '\t']) {
                // The body of a recipe; it was taken with its head, so this one has none.
                self.not_understood(path, number, "it is indented, and no recipe is above it");
            } else if trimmed.starts_with('[') {
                attributes(trimmed, &mut above.attributes);
            } else {
                let above = std::mem::take(&mut above);
                self.item(path, number, &line, above, &mut lines, module, imported)?;
            }
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "one item with all that is around it")]
    fn item(
        &mut self,
        path: &Path,
        number: usize,
        line: &str,
        above: Above,
        lines: &mut Lines<'_>,
        module: &mut Module,
        imported: bool,
    ) -> Result<(), Unreadable> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["alias", name, ":=", target, ..] => module.aliases.push((name.to_owned(), target.to_owned())),
            ["set" | "unexport", ..] => {}
            ["import" | "import?", ..] => self.import(path, line, module)?,
            ["mod" | "mod?", name, ..] if !name.starts_with([':', '=']) => {
                self.module(path, number, line, &above, module)
            }
            _ => match head(line) {
                Some(Head::Assignment) => {}
                Some(Head::Recipe { name, parameters, dependencies }) => {
                    let mut draft = recipe(&name, number, &above, imported)
                        .arguments(parameters)
                        .after(dependencies)
                        .runs(lines.body());
                    draft.file = imported.then(|| path.to_owned());
                    module.add(draft);
                }
                None => self.not_understood(path, number, "it is neither a recipe nor a setting"),
            },
        }
        Ok(())
    }

    fn not_understood(&mut self, path: &Path, line: usize, why: &str) {
        let shown =
            if path == self.look.path { String::new() } else { format!(" of {}", self.look.around.shown(path)) };
        self.reading.uncounted(format!("line {line}{shown} is not understood: {why}"));
    }

    fn import(&mut self, path: &Path, line: &str, module: &mut Module) -> Result<(), Unreadable> {
        let optional = line.starts_with("import?");
        let Some(name) = quoted(line) else { return Ok(()) };
        let target = tidy(&path.parent().unwrap_or(path).join(&name));
        if self.open.contains(&target) {
            self.reading.uncounted("imports in a circle, which just refuses");
            return Ok(());
        }
        if !self.read.insert(target.clone()) {
            return Ok(());
        }
        match self.look.around.text_if_any(&target) {
            Some(Ok(text)) => {
                self.open.push(target.clone());
                self.file(&target, &text, module)?;
                self.open.pop();
            }
            Some(Err(error)) => self.reading.uncounted(format!("`{name}` cannot be read: {}", error.reason)),
            None if optional => {}
            None => self.reading.uncounted(format!("`{name}` is imported and is not there")),
        }
        Ok(())
    }

    /// `mod name`, `mod? name 'path'`: a justfile of its own, whose recipes are called `name::recipe`.
    fn module(&mut self, path: &Path, line: usize, text: &str, above: &Above, module: &mut Module) {
        let name = text.split_whitespace().nth(1).unwrap_or("");
        let optional = text.starts_with("mod?");
        let folder = path.parent().unwrap_or(path);
        let Some(target) = self.module_file(folder, name, quoted(text).as_deref()) else {
            if !optional {
                self.reading.uncounted(format!("line {line}: the module `{name}` is not there"));
            }
            return;
        };
        if !self.read.insert(target.clone()) {
            return;
        }
        let mut inner = Module::default();
        match self.look.around.text(&target).and_then(|text| self.file(&target, &text, &mut inner)) {
            Ok(()) => {}
            Err(error) => self.reading.uncounted(format!("the module `{name}` cannot be read: {}", error.reason)),
        }
        let is_private = above.attributes.iter().any(|(attribute, _)| attribute == "private");
        let group = above.attributes.iter().find(|(attribute, _)| attribute == "group").and_then(|(_, it)| it.clone());
        for mut draft in inner.finish() {
            draft.name = format!("{name}::{}", draft.name);
            draft.depends_on = draft.depends_on.iter().map(|it| format!("{name}::{it}")).collect();
            draft.aliases = draft.aliases.iter().map(|it| format!("{name}::{it}")).collect();
            draft.private |= is_private;
            draft.group = draft.group.or_else(|| group.clone());
            draft.definition = Definition::Included;
            draft.file.get_or_insert_with(|| target.clone());
            module.inner.push(draft);
        }
    }

    fn module_file(&self, folder: &Path, name: &str, path: Option<&str>) -> Option<PathBuf> {
        let around = self.look.around;
        let inside = |folder: &Path| {
            let names = around.names(folder);
            let is_justfile =
                |it: &&String| it.eq_ignore_ascii_case("justfile") || it.eq_ignore_ascii_case(".justfile");
            let own = Some(folder.join("mod.just")).filter(|path| around.is_file(path));
            own.or_else(|| names.iter().find(is_justfile).map(|it| folder.join(it)))
        };
        if let Some(path) = path {
            let path = tidy(&folder.join(path));
            return if around.is_file(&path) { Some(path) } else { inside(&path) };
        }
        let beside = folder.join(format!("{name}.just"));
        if around.is_file(&beside) { Some(beside) } else { inside(&folder.join(name)) }
    }
}

fn recipe(name: &str, line: usize, above: &Above, imported: bool) -> Draft {
    let has = |wanted: &str| above.attributes.iter().any(|(name, _)| name == wanted);
    let doc = above.attributes.iter().find(|(name, _)| name == "doc");
    // An empty `[doc]` takes the comment away.
    let description = match doc {
        Some((_, text)) => text.clone(),
        None => above.comment.clone(),
    };
    let origin = if doc.is_some() { Origin::Field } else { Origin::Comment };
    let groups: Vec<&str> =
        above.attributes.iter().filter(|(name, _)| name == "group").filter_map(|(_, group)| group.as_deref()).collect();
    let mut draft = Draft::new(name, line)
        .describe(description, origin)
        .private(name.starts_with('_') || has("private"))
        .group((!groups.is_empty()).then(|| groups.join(", ")))
        .definition(if imported { Definition::Included } else { Definition::Literal });
    draft.platforms = above
        .attributes
        .iter()
        .filter(|(name, _)| PLATFORMS.contains(&&**name) || name == "unix")
        .map(|(name, _)| name.clone())
        .collect();
    draft
}
