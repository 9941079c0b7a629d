//! The facts about this machine.

use std::fs;
use std::net::{IpAddr, ToSocketAddrs};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Resource, getrlimit};

use super::{Access, Container, Descriptors, Facts, Folder, Kernel, ResolvConf, Trust};
use crate::effects::authority::Authority;
use crate::effects::containers::describe;
use crate::effects::places::Places;
use crate::effects::trial::Possible;
use crate::effects::{registry, stores};
use crate::plan::PROXIES;

/// What the kernel needs loaded for the redirects of pods.
pub const MODULES: [&str; 4] = ["nf_tables", "nft_chain_nat", "nft_redir", "nf_nat"];
/// The settings that limit how many namespaces an account may have.
const LIMITS: [&str; 5] = [
    "user.max_user_namespaces",
    "user.max_net_namespaces",
    "user.max_pid_namespaces",
    "user.max_mnt_namespaces",
    "user.max_uts_namespaces",
];
/// Nobody has a service of this name.
const PROBE: &str = "nagaya-doctor.localhost";
/// A resolver whose servers are away takes longer than anybody waits.
const PATIENCE: Duration = Duration::from_secs(3);

/// Looks at everything; what is possible in pods was tried before, while there was one thread.
pub fn gather(possible: Possible, datagrams: std::io::Result<()>) -> Facts {
    let places = Places::find();
    let limit = getrlimit(Resource::Nofile);
    let number = |limit: Option<u64>| limit.unwrap_or(u64::MAX);
    let unknown = |error: &std::io::Error| Folder { path: PathBuf::new(), access: Access::Unknown(error.to_string()) };
    let folder = |of: fn(&Places) -> Folder| places.as_ref().map_or_else(unknown, of);
    Facts {
        possible,
        kernel: kernel(),
        descriptors: Descriptors { soft: number(limit.current), hard: number(limit.maximum) },
        state: folder(|places| look(&places.state, false)),
        runtime: folder(|places| look(&places.runtime, true)),
        localhost: resolve(PROBE),
        trust: places.as_ref().map_or(Trust::None, trust),
        resolv_conf: resolv_conf(Path::new("/etc/resolv.conf")),
        proxies: proxies(),
        datagrams: datagrams.map_err(|error| error.to_string()),
        engines: places.as_ref().map(engines).unwrap_or_default(),
        containers: containers(),
    }
}

/// The engine of containers that a service would get.
fn containers() -> Result<String, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
    runtime.block_on(describe()).map_err(|absent| absent.to_string())
}

fn kernel() -> Kernel {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let modules = Path::new("/lib/modules").join(&release);
    let known = read("/proc/modules") + &read(modules.join("modules.builtin"));
    Kernel {
        program: std::env::current_exe().unwrap_or_default(),
        proc: Path::new("/proc/self/status").exists(),
        root_is_mount: is_mount_point(&read("/proc/self/mountinfo"), "/"),
        proc_sys_is_writable: is_writable("/proc/sys/net"),
        userns_clone: setting("kernel.unprivileged_userns_clone"),
        apparmor: setting("kernel.apparmor_restrict_unprivileged_userns"),
        limits: LIMITS.into_iter().filter_map(|name| Some((name, setting(name)?))).collect(),
        release,
        has_modules: modules.is_dir(),
        unloaded: MODULES.into_iter().filter(|module| !is_loaded(&known, module)).collect(),
        container: container(),
        is_filtered: status("Seccomp:").is_some_and(|mode| mode != "0"),
    }
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// A setting of the kernel, as `sysctl` calls it.
fn setting(name: &str) -> Option<u64> {
    read(Path::new("/proc/sys").join(name.replace('.', "/"))).trim().parse().ok()
}

fn status(key: &str) -> Option<String> {
    let status = read("/proc/self/status");
    status.lines().find_map(|line| line.strip_prefix(key)).map(|value| value.trim().to_owned())
}

/// The fifth word of a line is the mount point (proc_pid_mountinfo(5)).
fn is_mount_point(mountinfo: &str, path: &str) -> bool {
    mountinfo.lines().any(|line| line.split_whitespace().nth(4) == Some(path))
}

/// By a line of /proc/modules, `nf_nat 1 2 …`, or of modules.builtin, `kernel/net/netfilter/nf_nat.ko`.
fn is_loaded(known: &str, module: &str) -> bool {
    known.lines().any(|line| {
        let name = line.split_whitespace().next().unwrap_or_default();
        name == module || name.rsplit('/').next() == Some(&format!("{module}.ko"))
    })
}

/// Whether settings below could be changed at all: whose they are is another matter, since a pod has its own.
fn is_writable(path: &str) -> bool {
    let flags = rustix::fs::statvfs(path).map(|it| it.f_flag);
    flags.is_ok_and(|flags| !flags.contains(rustix::fs::StatVfsMountFlags::RDONLY))
}

fn container() -> Option<Container> {
    if std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() {
        return Some(Container::Kubernetes);
    }
    let marks = [("/.dockerenv", Container::Docker), ("/run/.containerenv", Container::Podman)];
    marks.into_iter().find(|(mark, _)| Path::new(mark).exists()).map(|(_, container)| container)
}

/// A folder, or the nearest above it that is there. One for sockets has to be shut to others.
fn look(path: &Path, private: bool) -> Folder {
    let nearest = path.ancestors().find(|folder| folder.symlink_metadata().is_ok()).unwrap_or(path);
    let rights = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
    let own = |it: &fs::Metadata| it.uid() == rustix::process::getuid().as_raw() && it.mode() & 0o077 == 0;
    let access = match path.symlink_metadata() {
        Ok(metadata) if private && !(metadata.is_dir() && own(&metadata)) => Access::Unsafe,
        _ if nearest.is_dir() && rustix::fs::access(nearest, rights).is_ok() => Access::Writable,
        _ => Access::Denied(nearest.to_owned()),
    };
    Folder { path: path.to_owned(), access }
}

/// As the host's programs resolve a name: by `getent` where there is one, since this program may carry a C library of
/// its own.
fn resolve(name: &'static str) -> Result<Vec<IpAddr>, String> {
    let (found, answer) = mpsc::channel();
    let ask = move || {
        let _ = found.send(by_getent(name).unwrap_or_else(|| by_own_library(name)));
    };
    std::thread::Builder::new().name("resolve".into()).spawn(ask).map_err(|error| error.to_string())?;
    answer.recv_timeout(PATIENCE).unwrap_or_else(|_| Err(format!("no answer for {} seconds", PATIENCE.as_secs())))
}

fn by_getent(name: &str) -> Option<Result<Vec<IpAddr>, String>> {
    let output = Command::new("getent").args(["ahosts", name]).stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    Some(Ok(text.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect()))
}

fn by_own_library(name: &str) -> Result<Vec<IpAddr>, String> {
    let found = (name, 0).to_socket_addrs().map_err(|error| error.to_string())?;
    Ok(found.map(|address| address.ip()).collect())
}

fn trust(places: &Places) -> Trust {
    match Authority::find(places) {
        Ok(None) => Trust::None,
        Ok(Some(authority)) => {
            let found = stores::status(&authority).into_iter();
            Trust::In(found.map(|(kind, place, has)| (kind.word(), place, has)).collect())
        }
        Err(error) => Trust::Broken(error.to_string()),
    }
}

fn resolv_conf(path: &Path) -> ResolvConf {
    match (fs::read(path), fs::read_link(path)) {
        (Ok(bytes), _) => ResolvConf::Text(String::from_utf8_lossy(&bytes).into_owned()),
        (Err(_), Ok(target)) => ResolvConf::Dangling(target),
        (Err(_), Err(_)) => ResolvConf::Missing,
    }
}

fn proxies() -> Vec<(String, String)> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    PROXIES.into_iter().filter_map(|name| Some((name.to_owned(), set(name)?))).collect()
}

fn engines(places: &Places) -> Vec<(String, String)> {
    registry::engines(places).into_iter().map(|engine| (engine.name, engine.version)).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn mount_points_and_modules_are_found_in_their_lists() {
        let mountinfo = "1 0 0:1 / / rw - ext4 x rw\n2 1 0:2 / /proc rw - proc proc rw\n";
        assert!(is_mount_point(mountinfo, "/") && is_mount_point(mountinfo, "/proc"));
        assert!(!is_mount_point("2 1 0:2 / /proc rw - proc proc rw\n", "/") && !is_mount_point("", "/"));
        let known = "nf_nat 61440 2 nft_chain_nat, Live 0x0\nkernel/net/netfilter/nft_redir.ko\n";
        assert!(is_loaded(known, "nf_nat") && is_loaded(known, "nft_redir"));
        assert!(!is_loaded(known, "nft_chain_nat") && !is_loaded(known, "nf_tables"));
    }

    #[test]
    fn folders_are_looked_at_where_they_are_or_would_be() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("a/b");
        assert_eq!(look(&path, true).access, Access::Writable);
        fs::create_dir_all(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!((look(&path, false).access, look(&path, true).access), (Access::Writable, Access::Unsafe));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(look(&path, true).access, Access::Writable);
        let file = base.path().join("file");
        fs::write(&file, "").unwrap();
        assert_eq!(look(&file.join("x"), false).access, Access::Denied(file));
    }

    #[test]
    fn a_link_that_leads_nowhere_is_told_from_no_file() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("resolv.conf");
        assert!(matches!(resolv_conf(&path), ResolvConf::Missing));
        symlink("/no/where", &path).unwrap();
        assert!(matches!(resolv_conf(&path), ResolvConf::Dangling(target) if target == Path::new("/no/where")));
        fs::remove_file(&path).unwrap();
        fs::write(&path, "nameserver 192.0.2.1\n").unwrap();
        assert!(matches!(resolv_conf(&path), ResolvConf::Text(text) if text.contains("192.0.2.1")));
    }
}
