//! What sandboxes leave outside of their folders.

use std::fs;
use std::path::Path;

/// Removes the data of services that root ran as other accounts; the argument is a folder of states.
pub fn remove_data(states: &Path) {
    for id in fs::read_dir(states).into_iter().flatten().flatten() {
        let _ = fs::remove_dir_all(Path::new("/var/lib/nagaya").join(id.file_name()));
    }
}
