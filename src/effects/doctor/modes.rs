//! Which network modes there are here, and what is in the way of the better ones.

use std::path::Path;

use rustix::io::Errno;

use super::{Container, Finding, Kernel};
use crate::effects::trial::Possible;
use crate::launcher::pod::{Failure, Step};

/// What `auto` means, each mode that has a condition, and the kernel's settings that pods want.
pub fn findings(possible: &Possible, kernel: &Kernel) -> Vec<Finding> {
    let best = Finding::ok("network", format!("`network: auto` means `{}` here", possible.best().word()));
    let pod =
        mode("pod", possible.pod, kernel, "each service has a network of its own, with production's names and ports");
    let names = mode("names", possible.names, kernel, "names lead to loopback addresses");
    let settings = possible.pod.is_ok().then(|| proc_sys(kernel));
    [best, pod, names].into_iter().chain(settings).collect()
}

fn mode(check: &'static str, tried: Result<(), Failure>, kernel: &Kernel, gives: &str) -> Finding {
    match tried {
        Ok(()) => Finding::ok(check, format!("network mode `{check}` is possible: {gives}")),
        Err(failure) => {
            let cause = Cause::of(failure, kernel);
            let message = format!("network mode `{check}` is not possible: {failure}; {}", cause.why(kernel));
            match cause {
                Cause::NoProc => Finding::problem(check, message, cause.fix(kernel)),
                _ => Finding::warning(check, message, cause.fix(kernel)),
            }
        }
    }
}

/// Pods do without, by a capability that programs may drop.
fn proc_sys(kernel: &Kernel) -> Finding {
    let check = "proc_sys";
    if kernel.proc_sys_is_writable {
        return Finding::ok(check, "/proc/sys can be written, so programs in pods may listen below 1024 and ping");
    }
    let message = "/proc/sys is read-only: programs in pods listen below 1024 by a capability, which some drop, and \
                   cannot ping";
    let fix = match kernel.container {
        Some(container) => container.flags().to_owned(),
        None => "mount it so that it can be written: `sudo mount -o remount,rw /proc/sys`".to_owned(),
    };
    Finding::warning(check, message, fix)
}

/// Why a step failed, as far as it can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Cause {
    NoProc,
    Chroot,
    /// A limit on namespaces is zero, or reached.
    Limit(Option<&'static str>),
    Debian,
    AppArmor,
    Container(Container),
    /// Forbidden by a filter of system calls, by nobody known.
    Filter,
    /// The modules of the running kernel were taken away, as an update does.
    Updated,
    Modules(Vec<&'static str>),
    NotBuilt,
    Unknown,
}

impl Cause {
    fn of(failure: Failure, kernel: &Kernel) -> Self {
        let errno = Errno::from_raw_os_error(failure.errno);
        let is_denied = matches!(errno, Errno::PERM | Errno::ACCESS);
        match failure.step {
            _ if !kernel.proc => Self::NoProc,
            Step::Namespaces if matches!(errno, Errno::NOSPC | Errno::USERS) => Self::limit(kernel),
            // The kernel gives no user namespace to who is in a chroot, and mounts nothing on what is no mount.
            Step::Namespaces if is_denied && !kernel.root_is_mount => Self::Chroot,
            Step::Mounts if errno == Errno::INVAL && !kernel.root_is_mount => Self::Chroot,
            _ if is_denied => Self::denied(kernel),
            Step::Namespaces if matches!(errno, Errno::INVAL | Errno::NOSYS) => match kernel.container {
                // Newer filters answer that there is no such call.
                Some(container) if errno == Errno::NOSYS => Self::Container(container),
                _ => Self::NotBuilt,
            },
            Step::Redirects if !kernel.has_modules && kernel.container.is_none() => Self::Updated,
            Step::Redirects => Self::Modules(kernel.unloaded.clone()),
            _ => Self::Unknown,
        }
    }

    fn limit(kernel: &Kernel) -> Self {
        Self::Limit(kernel.limits.iter().find(|(_, value)| *value == 0).map(|(name, _)| *name))
    }

    fn denied(kernel: &Kernel) -> Self {
        match kernel.container {
            _ if kernel.userns_clone == Some(0) => Self::Debian,
            Some(container) => Self::Container(container),
            None if kernel.apparmor == Some(1) => Self::AppArmor,
            None if kernel.is_filtered => Self::Filter,
            None => Self::Unknown,
        }
    }

    fn why(&self, kernel: &Kernel) -> String {
        match self {
            Self::NoProc => "/proc is not mounted".to_owned(),
            Self::Chroot => "`/` is no mount point, as in a chroot".to_owned(),
            Self::Limit(Some(name)) => format!("{name} is 0"),
            Self::Limit(None) => "the account has as many namespaces as it may have".to_owned(),
            Self::Debian => "kernel.unprivileged_userns_clone is 0".to_owned(),
            Self::AppArmor => "kernel.apparmor_restrict_unprivileged_userns is 1".to_owned(),
            Self::Container(container) => format!("{} forbids it to what it runs", container.name()),
            Self::Filter => "a filter of system calls (seccomp) is on this process".to_owned(),
            Self::Updated => {
                format!("the running kernel {} has no modules any more, as after an update", kernel.release)
            }
            Self::Modules(missing) if missing.is_empty() => "this kernel lacks a part of nf_tables".to_owned(),
            Self::Modules(missing) => format!("not loaded: {}", missing.join(", ")),
            Self::NotBuilt => "this kernel is built without these namespaces".to_owned(),
            Self::Unknown => "the reason is not known".to_owned(),
        }
    }

    fn fix(&self, kernel: &Kernel) -> String {
        match self {
            Self::NoProc => "mount it: `mount -t proc proc /proc`".to_owned(),
            Self::Chroot => {
                "make the folder a mount point before entering it (`mount --bind DIR DIR`), or enter it with \
                 systemd-nspawn or bubblewrap"
                    .to_owned()
            }
            Self::Limit(Some(name)) => {
                format!("`sudo sysctl {name}=65536`, and the same line in a file below /etc/sysctl.d to keep it")
            }
            Self::Limit(None) => {
                let all: Vec<String> = kernel.limits.iter().map(|(name, value)| format!("{name}={value}")).collect();
                format!(
                    "raise with `sudo sysctl` what is too low, here or on the machine around this one: {}",
                    all.join(" ")
                )
            }
            Self::Debian => {
                "`sudo sysctl kernel.unprivileged_userns_clone=1`, and the same line in a file below /etc/sysctl.d to \
                 keep it"
                    .to_owned()
            }
            Self::AppArmor => apparmor(&kernel.program),
            Self::Container(container) => container_fix(*container, kernel),
            Self::Filter => "start nagaya outside of whatever set it: a systemd unit with `SystemCallFilter=` or \
                             `RestrictNamespaces=`, or a sandbox"
                .to_owned(),
            Self::Updated => "start the machine again, with the kernel that was installed".to_owned(),
            Self::Modules(missing) => modules(missing),
            Self::NotBuilt => {
                "a kernel with CONFIG_USER_NS, CONFIG_PID_NS, CONFIG_NET_NS and CONFIG_UTS_NS has them".to_owned()
            }
            Self::Unknown => "`network: env` needs none of this".to_owned(),
        }
    }
}

fn modules(missing: &[&str]) -> String {
    let all = if missing.is_empty() { super::gather::MODULES.join(" ") } else { missing.join(" ") };
    format!(
        "`sudo modprobe -a {all}` on the machine itself, and their names in a file below /etc/modules-load.d to keep them"
    )
}

/// A profile that confines nothing, and allows what the setting denies to all programs without one.
fn apparmor(program: &Path) -> String {
    let path = program.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    let path = if path.chars().all(is_plain) { path } else { format!("\"{path}\"") };
    format!(
        "allow it to this program: write /etc/apparmor.d/nagaya, then `sudo apparmor_parser -r /etc/apparmor.d/nagaya`\n\
         abi <abi/4.0>,\n\
         include <tunables/global>\n\
         profile nagaya {path} flags=(unconfined) {{\n  \
           userns,\n  \
           include if exists <local/nagaya>\n\
         }}"
    )
}

fn container_fix(container: Container, kernel: &Kernel) -> String {
    let mut fix = container.flags().to_owned();
    if kernel.apparmor == Some(1) {
        fix.push_str("\nand on the machine itself `sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`");
    }
    fix
}

impl Container {
    fn name(self) -> &'static str {
        match self {
            Self::Docker => "Docker",
            Self::Podman => "Podman",
            Self::Kubernetes => "Kubernetes",
        }
    }

    fn flags(self) -> &'static str {
        match self {
            Self::Docker => {
                "`docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt \
                 systempaths=unconfined …`"
            }
            Self::Podman => {
                "`podman run --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt \
                 unmask=ALL …`"
            }
            Self::Kubernetes => {
                "in the container's `securityContext`: `seccompProfile: { type: Unconfined }`, `appArmorProfile: { type: \
                 Unconfined }`, `procMount: Unmasked`"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;

    fn kernel() -> Kernel {
        Kernel {
            program: "/opt/na gaya".into(),
            proc: true,
            root_is_mount: true,
            proc_sys_is_writable: true,
            userns_clone: None,
            apparmor: None,
            limits: vec![("user.max_user_namespaces", 10), ("user.max_net_namespaces", 10)],
            release: "6.1".to_owned(),
            has_modules: true,
            unloaded: Vec::new(),
            container: None,
            is_filtered: false,
        }
    }

    fn failed(step: Step, errno: Errno) -> Failure {
        Failure { step, errno: errno.raw_os_error() }
    }

    /// What is said of mode `pod` on a machine where a step of it fails.
    fn said(step: Step, errno: Errno, kernel: &Kernel) -> (Status, String) {
        let possible = Possible { pod: Err(failed(step, errno)), names: Ok(()) };
        let found = findings(&possible, kernel);
        let pod = found.iter().find(|finding| finding.check == "pod").unwrap();
        (pod.status, format!("{}\n{}", pod.message, pod.fix.as_deref().unwrap_or_default()))
    }

    #[test]
    fn the_best_mode_is_named() {
        let broken = Err(failed(Step::Redirects, Errno::NOENT));
        let cases = [(Ok(()), Ok(()), "`pod`"), (broken, Ok(()), "`names`"), (broken, broken, "`env`")];
        for (pod, names, expected) in cases {
            let found = findings(&Possible { pod, names }, &kernel());
            assert_eq!((found[0].check, found[0].status), ("network", Status::Ok));
            assert!(found[0].message.contains(expected), "{}", found[0].message);
            let modes = [found[1].status == Status::Ok, found[2].status == Status::Ok];
            assert_eq!(modes, [pod.is_ok(), names.is_ok()]);
        }
    }

    #[test]
    fn each_obstacle_is_told_with_the_way_around_it() {
        let denied = (Step::Namespaces, Errno::PERM);
        let limit = |value| vec![("user.max_user_namespaces", value)];
        let cases = [
            (denied, Kernel { userns_clone: Some(0), ..kernel() }, "sysctl kernel.unprivileged_userns_clone=1"),
            (
                (Step::Maps, Errno::PERM),
                Kernel { apparmor: Some(1), ..kernel() },
                "apparmor_restrict_unprivileged_userns is 1",
            ),
            ((Step::Mounts, Errno::ACCESS), Kernel { apparmor: Some(1), ..kernel() }, "apparmor_parser -r"),
            (
                (Step::Namespaces, Errno::NOSPC),
                Kernel { limits: limit(0), ..kernel() },
                "sysctl user.max_user_namespaces=65536",
            ),
            ((Step::Namespaces, Errno::NOSPC), kernel(), "user.max_net_namespaces=10"),
            (
                (Step::Namespaces, Errno::USERS),
                Kernel { limits: limit(7), ..kernel() },
                "as many namespaces as it may have",
            ),
            (
                denied,
                Kernel { container: Some(Container::Docker), ..kernel() },
                "docker run --security-opt seccomp=unconfined",
            ),
            (
                (Step::Mounts, Errno::ACCESS),
                Kernel { container: Some(Container::Docker), ..kernel() },
                "apparmor=unconfined",
            ),
            ((Step::Namespaces, Errno::NOSYS), Kernel { container: Some(Container::Docker), ..kernel() }, "docker run"),
            (denied, Kernel { container: Some(Container::Podman), ..kernel() }, "podman run"),
            (denied, Kernel { container: Some(Container::Kubernetes), ..kernel() }, "securityContext"),
            (denied, Kernel { is_filtered: true, ..kernel() }, "RestrictNamespaces"),
            (denied, Kernel { root_is_mount: false, ..kernel() }, "mount --bind DIR DIR"),
            ((Step::Mounts, Errno::INVAL), Kernel { root_is_mount: false, ..kernel() }, "chroot"),
            ((Step::Namespaces, Errno::INVAL), kernel(), "CONFIG_USER_NS"),
            (
                (Step::Redirects, Errno::NOENT),
                Kernel { unloaded: vec!["nft_redir"], ..kernel() },
                "modprobe -a nft_redir`",
            ),
            ((Step::Redirects, Errno::NOTSUP), kernel(), "modprobe -a nf_tables nft_chain_nat nft_redir nf_nat`"),
            ((Step::Redirects, Errno::NOENT), Kernel { has_modules: false, ..kernel() }, "start the machine again"),
            ((Step::Addresses, Errno::IO), kernel(), "the reason is not known"),
        ];
        for ((step, errno), kernel, expected) in cases {
            let (status, said) = said(step, errno, &kernel);
            assert_eq!(status, Status::Warning, "{said}");
            assert!(said.contains(expected), "no `{expected}` in {said}");
            assert!(said.contains(step.what()), "{said}");
        }
    }

    #[test]
    fn without_proc_nothing_works() {
        let (status, said) = said(Step::Maps, Errno::NOENT, &Kernel { proc: false, ..kernel() });
        assert_eq!(status, Status::Problem);
        assert!(said.contains("mount -t proc proc /proc"), "{said}");
    }

    #[test]
    fn a_profile_is_for_this_very_program() {
        let kernel = Kernel { apparmor: Some(1), ..kernel() };
        let (_, said) = said(Step::Maps, Errno::PERM, &kernel);
        assert!(said.contains("profile nagaya \"/opt/na gaya\" flags=(unconfined) {\n  userns,\n"), "{said}");
        assert!(apparmor(Path::new("/usr/bin/nagaya")).contains("profile nagaya /usr/bin/nagaya flags"));
    }

    #[test]
    fn a_container_on_ubuntu_needs_both() {
        let kernel = Kernel { container: Some(Container::Docker), apparmor: Some(1), ..kernel() };
        let (_, said) = said(Step::Maps, Errno::PERM, &kernel);
        assert!(said.contains("docker run") && said.contains("sysctl kernel.apparmor_restrict"), "{said}");
    }

    #[test]
    fn settings_that_cannot_be_written_cost_little() {
        let found = |kernel: &Kernel| findings(&Possible { pod: Ok(()), names: Ok(()) }, kernel).pop().unwrap();
        assert_eq!(found(&kernel()).status, Status::Ok);
        let plain = found(&Kernel { proc_sys_is_writable: false, ..kernel() });
        assert_eq!((plain.check, plain.status), ("proc_sys", Status::Warning));
        assert!(plain.fix.unwrap().contains("remount,rw"));
        let docker = Kernel { proc_sys_is_writable: false, container: Some(Container::Docker), ..kernel() };
        assert!(found(&docker).fix.unwrap().contains("systempaths=unconfined"));
    }
}
