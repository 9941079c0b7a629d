//! A workspace's network of containers, with the router in it.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bollard::models::{
    ContainerCreateBody, EndpointIpamConfig, EndpointSettings, HostConfig, Ipam, IpamConfig, NetworkCreateRequest,
    NetworkingConfig,
};
use bollard::query_parameters::{
    CreateContainerOptions, CreateImageOptions, ListNetworksOptions, LogsOptions, StartContainerOptions,
};
use futures_util::TryStreamExt;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with};
use tokio::net::UnixListener;
use tokio::sync::watch;

use super::clear::labels;
use super::engine::{Engine, said, status};
use crate::launcher::Line;
use crate::launcher::pod::Handover;
use crate::plan::{RANGE, Subnet};

/// An image with nothing in it: the router's program is this one, mounted.
///
/// By its whole name: what a bare one means, engines do not agree on.
pub const IMAGE: &str = "localhost/nagaya-router";
pub const TAG: &str = "1";
/// Where the router finds its socket and its program.
const SOCKET: &str = "/nagaya.sock";
const PROGRAM: &str = "/nagaya";
/// A router that takes longer than this does not come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A network in which containers can be started.
#[derive(Debug)]
pub struct Site {
    pub engine: Engine,
    /// As the engine calls it: names need not be of one network alone.
    pub network: String,
    pub subnet: Subnet,
    /// The file that tells containers whom to ask for names.
    pub resolv_conf: PathBuf,
    /// The line to its router.
    pub line: Arc<Line>,
    /// The router's container.
    router: String,
    /// Why it is gone, once it is.
    lost: watch::Sender<Option<String>>,
}

impl Site {
    /// Until the router has ended, or its engine cannot be asked.
    pub async fn ended(&self) {
        self.engine.ended(&self.router).await;
    }

    /// Tells all who live here that it is gone.
    pub fn lose(&self, why: &str) {
        self.lost.send_replace(Some(why.to_owned()));
    }

    /// Until it is gone; the words why.
    pub async fn lost(&self) -> String {
        let mut lost = self.lost.subscribe();
        let why = lost.wait_for(Option::is_some).await.ok().and_then(|why| why.clone());
        match why {
            Some(why) => why,
            None => std::future::pending().await,
        }
    }
}

/// What a site is made for.
#[derive(Debug, Clone)]
pub struct Ground {
    /// The workspace's id.
    pub workspace: String,
    /// Where the router finds the engine.
    pub socket: PathBuf,
    /// This program.
    pub program: PathBuf,
    /// Where containers find whom to ask for names.
    pub resolv_conf: PathBuf,
}

/// Makes network and router; what the router hands over is for the proxy.
pub async fn make(engine: Engine, ground: &Ground) -> Result<(Site, Handover), String> {
    let image = async { have_image(&engine).await.map_err(|error| said(&error)) };
    let ((subnet, network), ()) = tokio::try_join!(make_network(&engine, ground), image)?;
    let listener = listener(&ground.socket).map_err(|error| format!("{}: {error}", ground.socket.display()))?;
    let router = start_router(&engine, ground, &network, subnet).await?;
    let arrived = tokio::select! {
        arrived = listener.accept() => arrived.map_err(|error| error.to_string()),
        words = last_words(&engine, &router) => Err(words),
        () = tokio::time::sleep(PATIENCE) => Err(unreachable(&engine)),
    };
    let (stream, _) = arrived.map_err(|error| format!("the router of the containers did not start: {error}"))?;
    let failed = |error: io::Error| format!("the router of the containers cannot work: {error}");
    let socket = OwnedFd::from(stream.into_std().map_err(failed)?);
    let line = Line::of(socket, subnet.router()).map_err(failed)?;
    let handover = line.handover().await.map_err(failed)?;
    let resolv_conf = ground.resolv_conf.clone();
    let (line, lost) = (Arc::new(line), watch::Sender::new(None));
    let site = Site { engine, network, subnet, resolv_conf, line, router, lost };
    Ok((site, handover))
}

fn name(workspace: &str) -> String {
    format!("nagaya-{workspace}")
}

/// A router in a virtual machine has another kernel, to which no socket leads.
fn unreachable(engine: &Engine) -> String {
    format!(
        "it cannot reach this program's socket: the engine at {} seems to run its containers in a virtual machine; use one \
         that shares this kernel",
        engine.place
    )
}

/// The router's own words, once it has ended.
async fn last_words(engine: &Engine, router: &str) -> String {
    engine.ended(router).await;
    let options = LogsOptions { stdout: true, stderr: true, tail: "5".to_owned(), ..LogsOptions::default() };
    let lines: Vec<_> = engine.docker.logs(router, Some(options)).try_collect().await.unwrap_or_default();
    let words = lines.iter().map(ToString::to_string).collect::<String>();
    if words.trim().is_empty() { "it ended at once".to_owned() } else { words.trim().to_owned() }
}

/// Has that image.
pub async fn have_image(engine: &Engine) -> Result<(), bollard::errors::Error> {
    if engine.docker.inspect_image(&format!("{IMAGE}:{TAG}")).await.is_ok() {
        return Ok(());
    }
    let options = CreateImageOptions {
        from_src: Some("-".to_owned()),
        // Podman does not read a tag beside it.
        repo: Some(format!("{IMAGE}:{TAG}")),
        ..CreateImageOptions::default()
    };
    // An archive without files ends with two empty blocks.
    let empty = bollard::body_full(bytes::Bytes::from_static(&[0; 1024]));
    engine.docker.create_image(Some(options), Some(empty), None).try_collect::<Vec<_>>().await.map(drop)
}

/// Makes the network in a range that nobody else has.
async fn make_network(engine: &Engine, ground: &Ground) -> Result<(Subnet, String), String> {
    let networks = engine.docker.list_networks(None::<ListNetworksOptions>).await.map_err(|error| said(&error))?;
    let configs = networks.iter().filter_map(|network| network.ipam.as_ref()?.config.as_ref()).flatten();
    let mut taken: Vec<(Ipv4Addr, u8)> = configs.filter_map(|config| range(config.subnet.as_deref()?)).collect();
    taken.extend(routes(&std::fs::read_to_string("/proc/net/route").unwrap_or_default()));
    let mut tried = String::new();
    for subnet in candidates(&ground.workspace, &taken) {
        match engine.docker.create_network(request(&ground.workspace, subnet)).await {
            Ok(made) => return Ok((subnet, made.id)),
            // Somebody was quicker, or has it where this process cannot see it.
            Err(error) if said(&error).to_lowercase().contains("overlap") => tried = said(&error),
            Err(error) => return Err(format!("the network of the containers cannot be made: {}", said(&error))),
        }
    }
    Err(format!("no range of addresses is free for the network of the containers: {tried}"))
}

fn request(workspace: &str, subnet: Subnet) -> NetworkCreateRequest {
    let config = IpamConfig {
        subnet: Some(format!("{}/{}", subnet.base(), Subnet::PREFIX)),
        gateway: Some(subnet.gateway().to_string()),
        ..IpamConfig::default()
    };
    NetworkCreateRequest {
        name: name(workspace),
        driver: Some("bridge".to_owned()),
        ipam: Some(Ipam { config: Some(vec![config]), ..Ipam::default() }),
        labels: Some(labels(workspace)),
        ..NetworkCreateRequest::default()
    }
}

/// Second bytes of 10.0.0.0/8 that are tried: outside of what engines give out themselves, and of what pods have.
const SECOND: std::ops::Range<u8> = 68..252;
/// How many are tried.
const TRIES: usize = 16;

/// Ranges that nobody is known to have; a workspace begins with its own, so that it usually has the same one again.
fn candidates(workspace: &str, taken: &[(Ipv4Addr, u8)]) -> Vec<Subnet> {
    let hash = blake3::hash(workspace.as_bytes());
    let begin = usize::from(hash.as_bytes()[0]);
    let count = SECOND.len();
    let own = (0..count).filter_map(|step| SECOND.clone().nth((begin + step * 7) % count)).map(|it| Subnet([10, it]));
    let others = (17..32).rev().map(|second| Subnet([172, second]));
    let overlaps = |subnet: &Subnet| {
        taken.iter().any(|(base, length)| {
            let shared = 32 - u32::from((*length).min(Subnet::PREFIX));
            *length > 0 && base.to_bits() >> shared == subnet.base().to_bits() >> shared
        })
    };
    let ours = Subnet::of(RANGE.0);
    let all = own.chain(others).filter(|subnet| *subnet != ours && !overlaps(subnet));
    let mut seen = HashSet::new();
    all.filter(|subnet| seen.insert(subnet.0)).take(TRIES).collect()
}

/// `10.1.0.0/16`.
fn range(text: &str) -> Option<(Ipv4Addr, u8)> {
    let (base, length) = text.split_once('/')?;
    Some((base.parse().ok()?, length.parse().ok().filter(|length| *length <= 32)?))
}

/// The ranges to which this machine has routes, but for the one to everywhere (proc_net(5): the numbers are as the
/// processor has them).
fn routes(table: &str) -> Vec<(Ipv4Addr, u8)> {
    let number = |text: &str| Some(Ipv4Addr::from(u32::from_str_radix(text, 16).ok()?.to_ne_bytes()));
    let line = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let length = number(fields.get(7)?)?.to_bits().count_ones();
        Some((number(fields.get(1)?)?, u8::try_from(length).ok().filter(|length| *length > 0)?))
    };
    table.lines().skip(1).filter_map(line).collect()
}

/// Listens for the router: its root may not be this account, so the socket is open to all who come to its folder, and
/// nobody else does.
fn listener(path: &Path) -> io::Result<UnixListener> {
    use std::os::unix::fs::PermissionsExt;
    let _ = std::fs::remove_file(path);
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    listen(&socket, 1)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))?;
    UnixListener::from_std(StdListener::from(socket))
}

async fn start_router(engine: &Engine, ground: &Ground, network: &str, subnet: Subnet) -> Result<String, String> {
    let name = format!("{}-router", name(&ground.workspace));
    let mut binds =
        vec![format!("{}:{SOCKET}", ground.socket.display()), format!("{}:{PROGRAM}:ro", ground.program.display())];
    if is_dynamic(&ground.program) {
        let folders = ["/lib", "/lib64", "/usr/lib"].into_iter().filter(|folder| Path::new(folder).is_dir());
        binds.extend(folders.map(|folder| format!("{folder}:{folder}:ro")));
    }
    let host = HostConfig {
        binds: Some(binds),
        cap_drop: Some(vec!["ALL".to_owned()]),
        cap_add: Some(vec!["NET_ADMIN".to_owned()]),
        security_opt: Some(vec!["no-new-privileges".to_owned(), "label=disable".to_owned()]),
        network_mode: Some(network.to_owned()),
        readonly_rootfs: Some(true),
        ..HostConfig::default()
    };
    let body = ContainerCreateBody {
        image: Some(format!("{IMAGE}:{TAG}")),
        entrypoint: Some(vec![PROGRAM.to_owned(), "router".to_owned()]),
        cmd: Some(vec![SOCKET.to_owned(), subnet.base().to_string()]),
        labels: Some(labels(&ground.workspace)),
        host_config: Some(host),
        networking_config: Some(place(network, subnet.router())),
        ..ContainerCreateBody::default()
    };
    let options = CreateContainerOptions { name: Some(name.clone()), ..CreateContainerOptions::default() };
    let failed = |error| {
        let words = said(&error);
        format!("the router of the containers cannot be started: {words}{}", hint(&words))
    };
    let created = engine.docker.create_container(Some(options.clone()), body.clone()).await;
    match created {
        // One of an engine that was killed.
        Err(error) if status(&error) == Some(409) => {
            super::clear::remove(engine, &name).await?;
            engine.docker.create_container(Some(options), body).await.map_err(failed)?;
        }
        other => drop(other.map_err(failed)?),
    }
    engine.docker.start_container(&name, None::<StartContainerOptions>).await.map_err(failed)?;
    Ok(name)
}

/// What helps where Podman without root has no network to offer. Its first try says why, and leaves a half-made one,
/// about which alone all later ones complain.
fn hint(words: &str) -> &'static str {
    if words.contains("rootless netns") {
        return "; an earlier try of Podman's broke off: `rm $XDG_RUNTIME_DIR/netns/rootless-netns-*`, and the next one \
                says why";
    }
    if words.contains("slirp4netns") {
        return "; without root Podman's networks need slirp4netns (Debian's package of that name) and a /dev/net/tun that \
                this account may open";
    }
    ""
}

/// A place in a network.
pub fn place(network: &str, address: Ipv4Addr) -> NetworkingConfig {
    let ipam_config = EndpointIpamConfig { ipv4_address: Some(address.to_string()), ..EndpointIpamConfig::default() };
    // Whoever has an address has its card too: neighbours remember one for a minute, and engines make up another for each.
    let [a, b, c, d] = address.octets();
    let card = format!("02:42:{a:02x}:{b:02x}:{c:02x}:{d:02x}");
    let endpoint =
        EndpointSettings { ipam_config: Some(ipam_config), mac_address: Some(card), ..EndpointSettings::default() };
    NetworkingConfig { endpoints_config: Some(HashMap::from([(network.to_owned(), endpoint)])) }
}

/// Whether a program needs libraries of this machine: its file (elf(5)) names who loads them.
fn is_dynamic(program: &Path) -> bool {
    use std::io::Read;
    const INTERPRETER: u32 = 3;
    let mut head = vec![0; 4096];
    let read = std::fs::File::open(program).and_then(|mut file| file.read(&mut head));
    let head = &head[..read.unwrap_or(0)];
    let number = |at: usize, length: usize| {
        let mut bytes = [0; 8];
        bytes[..length].copy_from_slice(head.get(at..at + length)?);
        usize::try_from(u64::from_le_bytes(bytes)).ok()
    };
    let (Some(start), Some(size), Some(count)) = (number(32, 8), number(54, 2), number(56, 2)) else { return false };
    (0..count).any(|place| number(start + place * size, 4) == usize::try_from(INTERPRETER).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_somebody_has_are_left_alone() {
        let first = candidates("shop-1", &[])[0];
        assert_ne!(first, Subnet::of(RANGE.0));
        assert_eq!(candidates("shop-1", &[])[0], first, "a workspace has its own");
        let taken = [(first.base(), 24), (Ipv4Addr::new(172, 16, 0, 0), 12)];
        let others = candidates("shop-1", &taken);
        assert!(!others.contains(&first) && others.len() == TRIES && others.iter().all(|it| it.0[0] == 10));
        // All of 10.0.0.0/8 is another's: a way into a company, say.
        let others = candidates("shop-1", &[(Ipv4Addr::new(10, 0, 0, 0), 8)]);
        assert!(!others.is_empty() && others.iter().all(|it| it.0[0] == 172));
    }

    #[test]
    fn routes_are_read_but_the_one_to_everywhere() {
        let table = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
                     eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
                     tun0\t0000500A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n";
        assert_eq!(routes(table), [(Ipv4Addr::new(10, 80, 0, 0), 16)]);
        assert_eq!(range("10.1.0.0/16"), Some((Ipv4Addr::new(10, 1, 0, 0), 16)));
        assert_eq!(range("fd00::/64"), None);
    }

    #[test]
    fn what_podman_without_root_lacks_is_said() {
        // Podman 4.3's own words.
        let earlier = "failed to mount runtime directory for rootless netns: no such file or directory";
        assert!(hint(earlier).contains("netns/rootless-netns-*"));
        for lacking in [
            r#"exec: "slirp4netns": executable file not found in $PATH"#,
            r#"/usr/bin/slirp4netns failed: "open(\"/dev/net/tun\"): Permission denied""#,
        ] {
            assert!(hint(lacking).contains("this account may open"), "{lacking}");
        }
        assert_eq!(hint("the name is in use"), "");
    }

    #[test]
    fn a_program_tells_whether_it_needs_libraries() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, kind: u8| {
            let mut bytes = vec![0; 200];
            (bytes[32], bytes[54], bytes[56], bytes[64 + 56]) = (64, 56, 2, kind);
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        assert!(is_dynamic(&file("dynamic", 3)) && !is_dynamic(&file("static", 6)));
        assert!(!is_dynamic(&folder.path().join("absent")));
    }
}
