//! This process's variables, arguments and folder.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::plan::Shell;

/// Is set where `COLUMNS` tells how wide the dashboard is, for what is written to it. Services have no part in that.
pub const OWN_COLUMNS: &str = "NAGAYA_OWN_COLUMNS";

/// The shell's variables as tasks get them; those that steer nagaya itself are for nobody else.
pub fn shell() -> Shell {
    shell_without(|name| name.starts_with("NAGAYA_"))
}

/// The same as services get them.
pub fn shell_of_services() -> Shell {
    let has_own = variable(OWN_COLUMNS).is_some();
    shell_without(|name| name.starts_with("NAGAYA_") || (has_own && name == "COLUMNS"))
}

fn shell_without(is_left_out: impl Fn(&str) -> bool) -> Shell {
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Arc::new(variables.filter(|(name, _)| !is_left_out(name)).collect())
}

/// All variables, for this program itself.
pub fn everything() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// One variable of the shell.
pub fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// The words that this process was called with, the program's own name first.
pub fn arguments() -> Vec<OsString> {
    std::env::args_os().collect()
}

/// The file of this very program, or what took its place since: an engine may outlive an upgrade.
pub fn program() -> io::Result<PathBuf> {
    let file = std::env::current_exe()?;
    // So Linux marks a file that is at its path no more (proc(5)).
    let before = file.to_str().and_then(|path| path.strip_suffix(" (deleted)")).map(PathBuf::from);
    Ok(before.filter(|_| !file.exists()).unwrap_or(file))
}

/// The current folder.
pub fn folder() -> io::Result<PathBuf> {
    std::env::current_dir()
}

/// Goes to a folder, as `cd` does.
pub fn go_to(folder: &Path) -> io::Result<()> {
    std::env::set_current_dir(folder)
}

/// The number of this process's account.
pub fn user() -> u32 {
    rustix::process::getuid().as_raw()
}
