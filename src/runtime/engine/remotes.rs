//! Services that are looked for elsewhere while everything runs.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::Engine;
use crate::model::Workspace;
use crate::route::history::{Action, Author, Change};
use crate::route::remotes::{Away, Switch, away as routed_away};
use crate::runtime::rest::{away, notice};
use crate::runtime::{Problem, UpRequest, Upped};
use crate::supervise::{Command, Input};

/// An `up` for which services were sent away, as far as that went.
#[derive(Debug)]
pub(super) struct Sent {
    request: UpRequest,
    upped: Upped,
    result: Result<(), Problem>,
    reply: oneshot::Sender<Result<Upped, Problem>>,
}

/// Those that are on their way.
#[derive(Debug)]
pub(super) struct Sending {
    sender: mpsc::UnboundedSender<Sent>,
    receiver: mpsc::UnboundedReceiver<Sent>,
}

impl Default for Sending {
    fn default() -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self { sender, receiver }
    }
}

impl Sending {
    /// The next that is as far as that.
    pub async fn sent(&mut self) -> Option<Sent> {
        self.receiver.recv().await
    }
}

impl Engine {
    /// The services that are looked for elsewhere.
    pub(super) fn away(&self) -> Away {
        let mut away = routed_away(&self.keeper.routes());
        away.retain(|service, remote| self.workspace.remotes.get(remote).is_some_and(|it| it.contains_key(service)));
        away
    }

    /// Those that will be once a request is carried out.
    pub(super) fn away_for(&self, workspace: &Workspace, request: &UpRequest) -> Result<Away, Problem> {
        away(workspace, request, &self.away())
    }

    /// Has nobody wait here for what is elsewhere by the present routes.
    pub(super) fn look_away(&mut self) {
        let plan = self.world.plan();
        let places: HashMap<usize, Arc<str>> = self
            .away()
            .into_iter()
            .filter_map(|(service, remote)| Some((plan.index(&service)?, remote.into())))
            .collect();
        self.step(Input::Asked(Command::Away(places)));
    }

    /// Sends services away before any is started, as a first request asks.
    pub(super) async fn send_away(&mut self, workspace: &Workspace, request: &UpRequest) -> Result<(), Problem> {
        let change = change(away(workspace, request, &Away::new())?, request);
        let (waiting, mut kept) = oneshot::channel();
        self.keeper.change(change, waiting);
        let kept = loop {
            tokio::select! {
                biased;
                kept = &mut kept => break kept,
                Some(written) = self.written.recv() => self.take_written(written),
            }
        };
        self.look_away();
        kept.unwrap_or(Err(Problem::Ending)).map(drop)
    }

    /// Sends services away for an `up`, which goes on once routes say so: nobody is started who would look for them
    /// here.
    pub(super) fn send(
        &mut self,
        away: Away,
        request: UpRequest,
        upped: Upped,
        reply: oneshot::Sender<Result<Upped, Problem>>,
    ) {
        let (waiting, kept) = oneshot::channel();
        self.keeper.change(change(away, &request), waiting);
        let sender = self.sending.sender.clone();
        tokio::spawn(async move {
            let result = kept.await.unwrap_or(Err(Problem::Ending)).map(drop);
            let _ = sender.send(Sent { request, upped, result, reply });
        });
    }

    pub(super) fn take_sent(&mut self, sent: Sent) {
        let Sent { request, upped, result, reply } = sent;
        let ending = if *self.ending.borrow() { Err(Problem::Ending) } else { Ok(()) };
        let workspace = self.workspace.clone();
        let wanted = result.and(ending).and_then(|()| self.want(&workspace, &request));
        let _ = reply.send(wanted.map(|services| {
            let notices = upped.notices.into_iter().chain(notice(&self.away()));
            Upped { services, notices: notices.collect(), ..upped }
        }));
    }

    /// What whoever starts the engine should know of services that will be elsewhere.
    pub fn rest_notice(&self, request: &UpRequest) -> Option<String> {
        notice(&away(&self.workspace, request, &Away::new()).ok()?)
    }

    /// What is elsewhere by an edited manifest: what is now, and of what is new the rest.
    pub(super) fn away_edited(&self, workspace: &Workspace, asked: Option<&UpRequest>) -> Result<Away, Problem> {
        let mut all = self.away();
        if let Some(asked) = asked.filter(|asked| asked.rest.is_some()) {
            let rest = away(workspace, asked, &all)?;
            all.extend(rest.into_iter().filter(|(service, _)| self.workspace.index(service).is_none()));
        }
        Ok(all)
    }

    /// Has these be elsewhere, as soon as that is written down.
    pub(super) fn send_edited(&mut self, away: Away) {
        let change = change(away, &self.asked);
        self.keeper.change(change, oneshot::channel().0);
        self.look_away();
    }
}

fn change(away: Away, request: &UpRequest) -> Change {
    Change { namespace: None, who: Author::new(&request.who), action: Action::Switch(Switch::All(away)) }
}
