//! Somebody looks at the terminal of a service, or types what it reads.

use super::Engine;
use crate::effects::Typed;
use crate::effects::terminal::Size;
use crate::model::Stdin;
use crate::runtime::{Attachment, Problem};

impl Engine {
    /// Attaches to an instance that runs and reads.
    pub(super) fn attach(&self, name: &str, instance: u32, size: Option<Size>) -> Result<Attachment, Problem> {
        let place = self.place(name)?;
        let none = |message: String, hint: String| Err(Problem::NoTerminal { message, hint });
        if self.world.plan().services[place].stdin == Stdin::Empty {
            return none(
                format!("{name} has no terminal, and reads nothing"),
                format!(
                    "`tty: true` gives it one, `stdin_open: true` an input alone; `nagaya logs -f {name}` shows what it writes"
                ),
            );
        }
        match self.host.typed(place, instance) {
            Some(Typed::Terminal(terminal)) => Ok(Attachment::Terminal(terminal.attach(size))),
            Some(Typed::Feed(feed)) => Ok(Attachment::Feed(feed.clone())),
            None if instance > 1 => none(format!("{name}#{instance} does not run"), "nagaya ps".to_owned()),
            None => none(format!("{name} does not run"), format!("nagaya start {name}")),
        }
    }
}
