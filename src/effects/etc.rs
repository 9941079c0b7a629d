//! The files that take the place of the host's in all pods of a workspace.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use super::places::Home;
use crate::plan::{NAMESERVER, Plan};
use crate::route::files::{hosts, nsswitch, resolv_conf};
use crate::route::zone::Zone;

/// Writes them as the host's and the plan are now. Pods have them mounted: they are written in place, and only where
/// that changes them.
pub fn write(home: &Home, plan: &Plan, zone: &Zone) -> io::Result<()> {
    let folder = home.etc();
    fs::DirBuilder::new().recursive(true).mode(0o755).create(&folder)?;
    let host = |name: &str| fs::read_to_string(Path::new("/etc").join(name)).ok();
    let hosts = hosts(&host("hosts").unwrap_or_default(), zone, None);
    // A link that leads nowhere is as good as no file.
    let resolv = resolv_conf(&host("resolv.conf").unwrap_or_default(), NAMESERVER, &plan.namespace.to_string());
    let nsswitch = nsswitch(host("nsswitch.conf").as_deref());
    for (name, text) in [("hosts", hosts), ("resolv.conf", resolv), ("nsswitch.conf", nsswitch)] {
        let path = folder.join(name);
        if fs::read(&path).is_ok_and(|known| known == text.as_bytes()) {
            continue;
        }
        // Whoever runs in a pod may read them, as they may the host's.
        let file = fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o644).open(&path);
        file?.write_all(text.as_bytes())?;
    }
    Ok(())
}
