//! The files that take the place of the host's: the same in all pods, a caller's own in network mode `names`.

use std::fs;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::places::Home;
use crate::model::NetworkMode;
use crate::plan::{NAMESERVER, Plan, Planned};
use crate::route::files::{hosts, hosts_of_caller, nsswitch, resolv_conf};
use crate::route::zone::Zone;

/// Writes them as the host's and the plan are now.
pub fn write(home: &Home, plan: &Plan, zone: &Zone) -> io::Result<()> {
    let host = |name: &str| fs::read_to_string(Path::new("/etc").join(name)).ok();
    let host_hosts = host("hosts").unwrap_or_default();
    let nsswitch = nsswitch(host("nsswitch.conf").as_deref());
    if plan.services.iter().any(Planned::has_pod) {
        let hosts = hosts(&host_hosts, zone, None);
        // A link that leads nowhere is as good as no file.
        let resolv = resolv_conf(&host("resolv.conf").unwrap_or_default(), NAMESERVER, &plan.namespace.to_string());
        write_all(&home.etc(), &[("hosts", &hosts), ("resolv.conf", &resolv), ("nsswitch.conf", &nsswitch)])?;
    }
    for (place, planned) in plan.services.iter().enumerate() {
        if planned.network == NetworkMode::Names && planned.external().is_none() {
            let hosts = hosts_of_caller(&host_hosts, zone, place, &callees(plan, place));
            let folder = home.etc_of(planned.name.as_str());
            write_all(&folder, &[("hosts", &hosts), ("nsswitch.conf", &nsswitch)])?;
        }
    }
    Ok(())
}

/// The file in which containers find whom to ask for names.
pub fn of_containers(home: &Home) -> PathBuf {
    home.etc().join("containers").join("resolv.conf")
}

/// Writes it, as the host's is now; `nameserver` is the engine's in their network.
pub fn write_resolv_conf(file: &Path, nameserver: Ipv4Addr, namespace: &str) -> io::Result<()> {
    let host = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let text = resolv_conf(&host, nameserver, namespace);
    file.parent().map_or(Ok(()), |folder| write_all(folder, &[("resolv.conf", &text)]))
}

/// Whom a service calls at which loopback address.
fn callees(plan: &Plan, caller: usize) -> Vec<(usize, Ipv4Addr)> {
    let edges = plan.edges.iter().filter(|edge| edge.from == caller);
    let mut out: Vec<_> = edges.filter_map(|edge| Some((edge.to, *edge.listen?.ip()))).collect();
    out.dedup();
    out
}

/// Services have them mounted: they are written in place, and only where that changes them.
fn write_all(folder: &Path, files: &[(&str, &str)]) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
    for (name, text) in files {
        let path = folder.join(name);
        if fs::read(&path).is_ok_and(|known| known == text.as_bytes()) {
            continue;
        }
        // Whoever runs there may read them, as they may the host's.
        let file = fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o644).open(&path);
        file?.write_all(text.as_bytes())?;
    }
    Ok(())
}
