//! The variables of this process, handed on as a value.

use std::sync::Arc;

use crate::plan::Shell;

/// The shell's variables as services get them; those that steer nagaya itself are not for services.
pub fn shell() -> Shell {
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Arc::new(variables.filter(|(name, _)| !name.starts_with("NAGAYA_")).collect())
}
