//! Mirrors, as they begin and end.

use std::sync::Arc;

use super::Engine;
use crate::dtab::Path;
use crate::route::shares;
use crate::runtime::mirrors::{Mirror, MirrorRequest};
use crate::runtime::{Problem, tries::refused};
use crate::telemetry::copies::Tally;
use crate::view;

impl Engine {
    /// Begins with a mirror.
    pub(super) fn begin_mirror(&mut self, request: MirrorRequest) -> Result<view::Mirror, Problem> {
        let MirrorRequest { service, to, .. } = &request;
        if !self.is_version(to, service) {
            return Err(refused(format!("`{to}` is no version of `{service}`"), None));
        }
        if self.has_all(to, service) {
            let message = format!("requests to {service} go to {to} itself: there is nobody to send copies to");
            let hint =
                format!("copies are for another version of it; `nagaya shift {service} --status` has the shares");
            return Err(refused(message, Some(hint)));
        }
        let known = self.mirrors.borrow().clone();
        if let Some(mirror) = known.iter().find(|mirror| mirror.request.service == *service) {
            let message = format!("requests to {service} are copied to {} already", mirror.request.to);
            return Err(refused(message, Some(format!("`nagaya mirror {service} --end` ends that"))));
        }
        if let Some(why) = self.unfit(to, true) {
            return Err(refused(format!("{to} cannot take requests: it {why}"), None));
        }
        let mirror = Mirror { request, tally: Tally::default() };
        let shown = mirror.shown();
        self.mirrors.send_replace(Arc::new(known.iter().cloned().chain([mirror]).collect()));
        Ok(shown)
    }

    /// Whether all requests to a service go to this version of it. Rules lead some elsewhere, perhaps.
    fn has_all(&self, version: &str, service: &str) -> bool {
        let first = self.workspace.services.get(service).and_then(|first| first.version.as_ref());
        let all_to = shares::all_to(&self.keeper.routes(), service, first.map(|first| first.name.as_str()));
        let is_ruled = |name: Path| self.workspace.rules.of_name(&name).next().is_some();
        all_to.as_deref() == Some(version) && !Path::of(["svc", service]).is_some_and(is_ruled)
    }

    /// Ends one, and tells what it has come to.
    pub(super) fn end_mirror(&mut self, service: &str) -> Result<view::Mirror, Problem> {
        let known = self.mirrors.borrow().clone();
        let Some(mirror) = known.iter().find(|mirror| mirror.request.service == service) else {
            return Err(refused(format!("requests to {service} are not copied"), None));
        };
        let rest = known.iter().filter(|mirror| mirror.request.service != service).cloned().collect();
        self.mirrors.send_replace(Arc::new(rest));
        Ok(mirror.shown())
    }

    /// Ends mirrors whose version is gone.
    pub(super) fn guard_mirrors(&mut self) {
        let known = self.mirrors.borrow().clone();
        if known.is_empty() {
            return;
        }
        let plan = self.world.plan();
        let is_gone = |name: &str| plan.index(name).is_none_or(|place| self.world.is_over(place));
        let gone = known.iter().filter(|mirror| is_gone(&mirror.request.to));
        for service in gone.map(|mirror| mirror.request.service.clone()).collect::<Vec<_>>() {
            let _ = self.end_mirror(&service);
        }
    }
}
