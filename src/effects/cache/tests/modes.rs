//! Permissions of what is kept.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::Lab;

const FILES: [(&str, u32); 3] = [("dist/a", 0o600), ("dist/deep/b", 0o400), ("dist/deep/run", 0o750)];
/// The innermost first: of the last nothing can be changed once it is closed.
const FOLDERS: [(&str, u32); 3] = [("dist/empty", 0o711), ("dist/deep", 0o555), ("dist", 0o700)];

impl Lab {
    fn set(&self, modes: &[(&str, u32)]) {
        modes.iter().for_each(|(name, mode)| {
            fs::set_permissions(self.path(name), fs::Permissions::from_mode(*mode)).unwrap();
        });
    }

    fn modes(&self) -> BTreeMap<&'static str, u32> {
        let all = FILES.iter().chain(&FOLDERS);
        all.map(|(name, _)| (*name, fs::metadata(self.path(name)).unwrap().permissions().mode() & 0o7777)).collect()
    }
}

fn wanted() -> BTreeMap<&'static str, u32> {
    FILES.into_iter().chain(FOLDERS).collect()
}

fn lab() -> Lab {
    let lab = Lab::new();
    lab.write("dist/deep/run", "run");
    fs::create_dir(lab.path("dist/empty")).unwrap();
    lab.set(&FILES);
    lab.set(&FOLDERS);
    lab
}

fn moved(lab: &Lab) -> PathBuf {
    let away = lab.dir.path().join("away");
    fs::rename(lab.path("dist"), &away).unwrap();
    away
}

#[test]
fn all_permissions_come_back() {
    let lab = lab();
    let record = lab.keep("x").unwrap();
    for is_checked in [false, true] {
        if is_checked {
            lab.check(&record);
        }
        let away = moved(&lab);
        lab.restore(&record).unwrap();
        assert_eq!(lab.modes(), wanted());
        fs::set_permissions(away.join("deep"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::remove_dir_all(away).unwrap();
    }
    lab.set(&[("dist/deep", 0o755)]);
}

#[test]
fn what_is_there_with_other_permissions_gets_its_own_and_keeps_its_time() {
    let lab = lab();
    let record = lab.keep("x").unwrap();
    let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1000);
    lab.set(&[("dist", 0o777), ("dist/a", 0o666), ("dist/empty", 0o500)]);
    fs::File::options().append(true).open(lab.path("dist/a")).unwrap().set_modified(old).unwrap();
    lab.restore(&record).unwrap();
    assert_eq!(lab.modes(), wanted());
    assert_eq!(fs::metadata(lab.path("dist/a")).unwrap().modified().unwrap(), old);
    lab.set(&[("dist/deep", 0o755)]);
}

/// It is not the task's alone.
#[test]
fn a_folder_that_is_no_output_stays_as_it_is() {
    let lab = lab();
    let globs = ["dist/a".to_owned()];
    let parts = super::Parts::from([("command".to_owned(), "x".to_owned())]);
    let took = std::time::Duration::from_millis(7);
    let made = super::Made { folder: &lab.folder(), outputs: &globs, parts, log: b"", took };
    let record = lab.store.keep(made, lab.store.share().unwrap()).unwrap();
    let mode = || fs::metadata(lab.path("dist")).unwrap().permissions().mode() & 0o7777;
    let restore = || lab.store.restore(&record, &lab.folder(), &globs, &lab.store.share().unwrap()).unwrap();
    lab.set(&[("dist", 0o755), ("dist/deep", 0o755)]);
    fs::remove_file(lab.path("dist/a")).unwrap();
    restore();
    assert_eq!(mode(), 0o755);
    fs::remove_dir_all(lab.path("dist")).unwrap();
    restore();
    assert_eq!(mode(), 0o700, "as it was when there is none");
}

#[test]
fn an_empty_folder_is_emptied_and_stays() {
    let lab = lab();
    let record = lab.keep("x").unwrap();
    lab.write("dist/empty/stale", "x");
    lab.restore(&record).unwrap();
    assert!(lab.path("dist/empty").is_dir() && !lab.path("dist/empty/stale").exists());
    lab.set(&[("dist/deep", 0o755)]);
}
