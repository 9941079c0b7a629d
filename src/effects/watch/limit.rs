//! What the kernel allows an account.

use std::fs;

/// A limit that has two names: the machine's, and the user namespace's.
pub struct Limit([&'static str; 2]);

/// How many folders and files may be watched.
pub const WATCHES: Limit = Limit(["fs.inotify.max_user_watches", "user.max_inotify_watches"]);
/// How many programs may watch any.
pub const INSTANCES: Limit = Limit(["fs.inotify.max_user_instances", "user.max_inotify_instances"]);

impl Limit {
    /// The figure that holds, and which of the names has it.
    pub fn smaller(&self) -> (u64, &'static str) {
        let figure = |name: &str| {
            let text = fs::read_to_string(format!("/proc/sys/{}", name.replace('.', "/"))).ok();
            text.and_then(|text| text.trim().parse().ok()).unwrap_or(u64::MAX)
        };
        let [machine, namespace] = self.0.map(|name| (figure(name), name));
        if namespace.0 < machine.0 { namespace } else { machine }
    }
}
