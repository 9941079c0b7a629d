//! The manifest as it is edited: what is good is laid over what runs, what is bad changes nothing and is told.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::Engine;
use super::asks::{Cause, Loaded};
use crate::dtab::{Dtab, Identifier};
use crate::model::{Rules, ServiceName, Workspace};
use crate::plan::Planned;
use crate::runtime::keeper::of_manifest;
use crate::runtime::scale::kept;
use crate::runtime::wanted::wanted;
use crate::runtime::{Problem, UpRequest};
use crate::supervise::{Command, Input, News, Want};
use crate::view::Event;

/// Problems of a manifest that an event names.
const NAMED: usize = 5;

/// How far the reading of an edited manifest is.
#[derive(Debug, Default)]
pub(super) struct Edits {
    /// It is being read, and was edited once more since.
    rereading: bool,
    again: bool,
    /// What is wrong with the manifest as it was last edited.
    pub bad: Option<String>,
}

impl Engine {
    /// Files of the manifest changed: it is read again, off the loop.
    pub(super) fn reread(&mut self) {
        if *self.ending.borrow() {
            return;
        }
        if self.edits.rereading {
            self.edits.again = true;
            return;
        }
        self.edits.rereading = true;
        self.load(self.setup.load.clone(), Cause::Edited);
    }

    /// What was read is taken over, unless files changed meanwhile.
    pub(super) fn take_edited(&mut self, loaded: Loaded) {
        self.edits.rereading = false;
        if std::mem::take(&mut self.edits.again) {
            return self.reread();
        }
        if *self.ending.borrow() {
            return;
        }
        let Loaded { files, result, .. } = loaded;
        match result.and_then(|(workspace, _)| self.lay_edited(workspace)) {
            Ok(()) => {
                self.edits.bad = None;
                self.post_notices();
                self.watch_manifest(files);
            }
            Err(problem) => {
                self.watch_manifest_too(files);
                self.refuse_edit(problem);
            }
        }
    }

    /// What is in the plan to stay.
    fn stays(&self) -> Standing {
        let plan = self.world.plan();
        let staying = plan.services.iter().enumerate().filter(|(place, _)| !self.world.is_leaving(*place));
        let services = staying.map(|(_, planned)| planned.clone()).collect();
        let (rules, identifiers) = (plan.rules.clone(), plan.identifiers.clone());
        Standing { services, routes: plan.routes.clone(), rules, identifiers }
    }

    fn refuse_edit(&mut self, problem: Problem) {
        let short = format!("{problem}; what runs is as it was before");
        let (told, text) = match problem {
            Problem::Manifest { rendered, brief, .. } => {
                (with_problems(&short, &brief), format!("{short}\n{}", rendered.trim_end()))
            }
            _ => (short.clone(), short),
        };
        if self.edits.bad.as_ref() != Some(&text) {
            self.tell(Event::told("manifest", None, told, self.clock.wall(self.clock.now())));
            self.edits.bad = Some(text);
            self.post_notices();
        }
    }

    /// Lays an edited manifest over what runs. What is new is started where an `up` would have started it; what was
    /// stopped, or was never asked for, stays as it is.
    fn lay_edited(&mut self, manifest: Workspace) -> Result<(), Problem> {
        self.refuse_other_name(&manifest)?;
        let (workspace, left_out) = self.with_tries(&manifest);
        if workspace == *self.workspace {
            return Ok(());
        }
        let asked = known_in(&self.asked, &workspace);
        let names = |workspace: &Workspace, wants: Vec<(usize, Want)>| {
            wants.into_iter().map(|(place, want)| (workspace.service(place).name.clone(), want)).collect::<Vec<_>>()
        };
        let before = known_in(&self.asked, &self.workspace)
            .map(|asked| wanted(&self.workspace, &asked, &self.away()))
            .transpose()?;
        let before: HashSet<_> =
            names(&self.workspace, before.unwrap_or_default()).into_iter().map(|(name, _)| name).collect();
        let away = self.away_edited(&workspace, asked.as_ref())?;
        let after = asked.map(|asked| wanted(&workspace, &asked, &away)).transpose()?.unwrap_or_default();
        let is_new = |place: usize| {
            let name = &workspace.service(place).name;
            !before.contains(name) && !self.tries.has(name.as_str())
        };
        let new = after.into_iter().filter(|(place, _)| is_new(*place)).collect();
        // What is tried comes back with its service.
        let is_back = |name: &String| self.workspace.index(name).is_none() && workspace.index(name).is_some();
        let back: Vec<String> = self.tries.tried().into_iter().map(|it| it.name.to_string()).filter(is_back).collect();
        let (old, at) = (self.stays(), self.clock.now());
        let scale = kept(&self.setup.scale, &self.workspace, &workspace);
        self.lay(&workspace, scale)?;
        self.manifest = Arc::new(manifest);
        for why in left_out {
            self.tell(Event::told("manifest", None, why, self.clock.wall(self.clock.now())));
        }
        let (waiting, _) = oneshot::channel();
        self.keeper.change(of_manifest(self.world.plan().routes.clone()), waiting);
        self.send_edited(away);
        if let Some(difference) = difference(&old, &self.stays()) {
            // What follows from it is told after it, and was later.
            self.tell(Event::told("manifest", None, format!("applied: {difference}"), self.clock.wall(at)));
        }
        let command = if self.asked.selection.no_deps { Command::UpAlone(new) } else { Command::Up(new) };
        self.step(Input::Asked(command));
        if back.is_empty() { Ok(()) } else { self.start(&back) }
    }

    /// Another `up` asked for services: edits of the manifest go by all that were asked for.
    pub(super) fn remember(&mut self, request: &UpRequest) {
        let (known, new) = (&mut self.asked.selection, &request.selection);
        if new.services.is_empty() {
            known.services.clear();
        } else if !known.services.is_empty() {
            known.services.extend(new.services.iter().cloned());
        }
        known
            .profiles
            .extend(new.profiles.iter().filter(|it| !known.profiles.contains(it)).cloned().collect::<Vec<_>>());
        known.no_deps &= new.no_deps;
        self.asked.lazy &= request.lazy;
        self.asked.who.clone_from(&request.who);
        if request.rest.is_some() || request.selection.services.is_empty() {
            self.asked.rest.clone_from(&request.rest);
        }
    }

    /// Tells what the world has to say besides states. That there is too little memory is shown whenever somebody looks.
    pub(super) fn tell_notes(&mut self) {
        for note in self.world.take_notes() {
            let over = matches!(note.what, News::OverBudget { .. });
            let text = self.publisher.note(&self.world, &note);
            if over || matches!(note.what, News::WithinBudget { .. }) {
                self.over_budget = over.then_some(text);
                self.post_notices();
            }
        }
    }

    /// Shows what users should know whenever they look.
    pub(super) fn post_notices(&mut self) {
        let notices = self.edits.bad.iter().chain(&self.over_budget).chain(&self.watching.troubles).cloned();
        let missing = self.publisher.missing().into_iter().map(|missing| missing.to_string());
        let deaf = self.publisher.deaf().iter().map(ToString::to_string);
        self.publisher.notices(notices.chain(missing).chain(deaf).collect());
    }
}

/// An event has one line for all of them.
fn with_problems(short: &str, brief: &[String]) -> String {
    let named = brief.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join("; ");
    match brief.len().saturating_sub(NAMED) {
        _ if named.is_empty() => short.to_owned(),
        0 => format!("{short}: {named}"),
        more => format!("{short}: {named}; and {more} more, which `nagaya check` shows"),
    }
}

/// What a plan has but for those that are in it for their end alone.
struct Standing {
    services: Vec<Planned>,
    routes: Dtab,
    rules: Arc<Rules>,
    identifiers: Vec<Identifier>,
}

/// What was asked for, as far as a manifest has it; nothing, where it has nothing of it.
fn known_in(asked: &UpRequest, workspace: &Workspace) -> Option<UpRequest> {
    let mut asked = asked.clone();
    let selection = &mut asked.selection;
    let all = selection.services.is_empty();
    selection.services.retain(|name| workspace.index(name).is_some());
    selection.profiles.retain(|name| name == "*" || workspace.profiles.contains(name));
    let is_known = all || !selection.services.is_empty();
    asked.rest.take_if(|rest| !workspace.remotes.contains_key(rest));
    is_known.then_some(asked)
}

/// What is different in another plan, in words: what goes, what changes, what comes.
fn difference(old: &Standing, new: &Standing) -> Option<String> {
    let find = |of: &Standing, name: &ServiceName| of.services.iter().position(|planned| planned.name == *name);
    let gone = old.services.iter().filter(|planned| find(new, &planned.name).is_none());
    let mut parts: Vec<String> = gone.map(|planned| format!("{} is gone", planned.name)).collect();
    let before = new.services.iter().map(|planned| (planned, find(old, &planned.name).map(|at| &old.services[at])));
    parts.extend(before.clone().filter_map(|(planned, before)| match before? {
        before if !planned.launches_like(before) => Some(format!("{} runs otherwise", planned.name)),
        before if planned != before => Some(format!("{} is kept otherwise", planned.name)),
        _ => None,
    }));
    parts.extend(before.filter(|(_, before)| before.is_none()).map(|(planned, _)| format!("{} is new", planned.name)));
    if old.routes != new.routes {
        parts.push("the routes are different".to_owned());
    }
    if old.rules != new.rules {
        parts.push("the routes for some requests are different".to_owned());
    }
    if old.identifiers != new.identifiers {
        parts.push("requests are named otherwise".to_owned());
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}
