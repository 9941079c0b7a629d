//! The end of a version: first no route leads to it, then its service stops, and then what it left is removed.

use tokio::sync::oneshot;

use super::words::still_led;
use super::{Done, Reply, Stage};
use crate::route::history::{Action, Author, Change};
use crate::runtime::engine::Engine;
use crate::runtime::tries::refused;
use crate::runtime::{EndTry, Problem};

impl Engine {
    /// Has the routes lead to a version no more; while they do, its service is not stopped.
    pub(super) fn leave(&mut self, ask: EndTry, reply: Reply<()>) {
        let entry = match self.tries.get(&ask.name) {
            Some(entry) if matches!(entry.stage, Stage::Tried | Stage::Kept) => entry,
            _ => return drop(reply.send(Err(refused(format!("{} is being ended already", ask.name), None)))),
        };
        entry.stage = Stage::Removing;
        let change = Change { namespace: None, who: Author::new(&ask.who), action: Action::Forget(ask.name.clone()) };
        let (waiting, rerouted) = oneshot::channel();
        self.keeper.change(change, waiting);
        self.tries.jobs.spawn(async move {
            let unrouted = rerouted.await.ok().and_then(Result::err);
            Done::Rerouted(ask, reply, unrouted)
        });
    }

    /// Takes a version out of the plan; what it left is removed when it has stopped.
    pub(super) fn part(&mut self, ask: EndTry, reply: Reply<()>, unrouted: Option<Problem>) {
        let EndTry { name, force, .. } = ask;
        let parted = match &unrouted {
            Some(why) if !force => Err(still_led(&name, why)),
            _ => self.replan_without(&name),
        };
        let Some(entry) = self.tries.get(&name) else { return drop(reply.send(parted)) };
        match parted {
            Ok(()) => entry.stage = Stage::Leaving { force, unrouted, reply },
            Err(problem) => {
                entry.stage = Stage::Tried;
                let _ = reply.send(Err(problem));
            }
        }
    }

    /// Removes what versions left that have stopped.
    pub(in crate::runtime::engine) fn clear_tries(&mut self) {
        for at in 0..self.tries.list.len() {
            let entry = &mut self.tries.list[at];
            if !matches!(entry.stage, Stage::Leaving { .. }) {
                continue;
            }
            let plan = self.world.plan();
            if plan.index(&entry.it.name).is_some_and(|place| !self.world.is_over(place)) {
                continue;
            }
            let (name, worktree) = (entry.it.name.clone(), entry.it.worktree.clone());
            let Stage::Leaving { force, unrouted, reply } = std::mem::replace(&mut entry.stage, Stage::Removing) else {
                continue;
            };
            self.tries.jobs.spawn(async move {
                let result = match worktree {
                    Some(worktree) => worktree.remove(force).await,
                    None => Ok(()),
                };
                Done::Removed(name, reply, result, unrouted)
            });
        }
    }

    /// Has the routes lead no more to versions that end with the engine.
    pub(in crate::runtime::engine) async fn lead_away(&mut self) {
        let names: Vec<String> = self.tries.tried().into_iter().map(|it| it.name.to_string()).collect();
        let mut changes = Vec::new();
        for name in names {
            let who = Author::new(&format!("the end of {name}"));
            let (waiting, made) = oneshot::channel();
            self.keeper.change(Change { namespace: None, who, action: Action::Forget(name) }, waiting);
            changes.push(made);
        }
        while changes.iter_mut().any(|made| made.try_recv() == Err(oneshot::error::TryRecvError::Empty)) {
            let Some(written) = self.written.recv().await else { return };
            self.take_written(written);
        }
    }
}
