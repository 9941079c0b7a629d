//! Who is told that an engine does not answer.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

type Tell = Box<dyn FnOnce() + Send>;

/// Is told once, while the answer is still waited for.
#[derive(Clone)]
pub struct Concern(Arc<Mutex<Option<Tell>>>);

impl Concern {
    /// Calls this.
    pub fn new(tell: impl FnOnce() + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Some(Box::new(tell)))))
    }

    pub(super) fn tell(&self) {
        let tell = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        tell.into_iter().for_each(|tell| tell());
    }
}

impl fmt::Debug for Concern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Concern")
    }
}
