//! Files of addresses: read when the engine begins, and again whenever they change.

use std::collections::BTreeMap;

use tokio::sync::mpsc;

use super::Engine;
use crate::effects::disco::read;
use crate::route::disco::{Disco, FOLDER, Text};
use crate::view::Event;

/// What was read, and which reading it was.
type Texts = (u64, BTreeMap<String, Text>);

/// Files that are being read, off the loop.
#[derive(Debug)]
pub(super) struct Reading {
    begun: u64,
    taken: u64,
    sender: mpsc::UnboundedSender<Texts>,
    receiver: mpsc::UnboundedReceiver<Texts>,
}

impl Default for Reading {
    fn default() -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self { begun: 0, taken: 0, sender, receiver }
    }
}

impl Reading {
    /// What was read next.
    pub async fn read(&mut self) -> Option<Texts> {
        self.receiver.recv().await
    }
}

impl Engine {
    /// Reads the files before anybody can ask for them.
    pub(super) fn begin_disco(&mut self) {
        let texts = read(&self.world.plan().root.join(FOLDER));
        if !texts.is_empty() {
            self.take_disco((0, texts));
        }
    }

    pub(super) fn read_disco(&mut self) {
        self.watching.reading.begun += 1;
        let begun = self.watching.reading.begun;
        let (folder, sender) = (self.world.plan().root.join(FOLDER), self.watching.reading.sender.clone());
        tokio::task::spawn_blocking(move || sender.send((begun, read(&folder))));
    }

    pub(super) fn take_disco(&mut self, (begun, texts): Texts) {
        // One that began later may have been quicker.
        if begun < self.watching.reading.taken {
            return;
        }
        self.watching.reading.taken = begun;
        let before = self.publisher.disco();
        let (disco, troubles) = Disco::read(texts, &before);
        for trouble in troubles {
            self.tell(Event::told("trouble", None, trouble, self.clock.wall(self.clock.now())));
        }
        if disco != *before {
            self.publisher.set_disco(disco);
        }
    }
}
