//! Somebody looks at the terminal of a service.

use super::Engine;
use crate::effects::terminal::{Attached, Size};
use crate::runtime::Problem;

impl Engine {
    /// Attaches to an instance that runs and has a terminal.
    pub(super) fn attach(&self, name: &str, instance: u32, size: Option<Size>) -> Result<Attached, Problem> {
        let place = self.place(name)?;
        let none = |message: String, hint: String| Err(Problem::NoTerminal { message, hint });
        if !self.world.plan().services[place].tty {
            return none(
                format!("{name} has no terminal"),
                format!("`tty: true` gives it one; `nagaya logs -f {name}` shows what it writes"),
            );
        }
        match self.host.terminal(place, instance) {
            Some(terminal) => Ok(terminal.attach(size)),
            None if instance > 1 => none(format!("{name}#{instance} does not run"), "nagaya ps".to_owned()),
            None => none(format!("{name} does not run"), format!("nagaya start {name}")),
        }
    }
}
