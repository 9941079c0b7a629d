//! Saving and restoring without services.

use std::os::unix::fs::MetadataExt;
use std::time::SystemTime;

use super::*;

struct Lab {
    base: tempfile::TempDir,
    home: Home,
}

impl Lab {
    fn new() -> Self {
        let base = tempfile::tempdir().unwrap();
        let home = Home { id: "lab-1".into(), state: base.path().join("state"), socket: base.path().join("socket") };
        Self { base, home }
    }

    fn live(&self, service: &str, text: &str) -> Live {
        let folder = self.base.path().join("data").join(service);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("file"), text).unwrap();
        Live { service: service.to_owned(), folder, volumes: Vec::new() }
    }

    /// Saves under a name.
    fn save(&self, store: &Store, name: &str, lives: &[Live]) -> Result<Snapshot, Trouble> {
        let saved = store.save(name, Some("main".into()), lives, &go_on())?.snapshot;
        store.place(&saved).map(|()| saved)
    }

    fn store(&self) -> Store {
        Store::open(&self.home).unwrap()
    }
}

fn text(live: &Live) -> String {
    fs::read_to_string(live.folder.join("file")).unwrap()
}

fn go_on() -> AtomicBool {
    AtomicBool::new(false)
}

#[test]
fn what_was_saved_is_restored_and_can_be_taken_back() {
    let lab = Lab::new();
    let lives = [lab.live("db", "first"), lab.live("queue", "first")];
    let store = lab.store();
    let saved = lab.save(&store, "a", &lives).unwrap();
    assert_eq!((saved.bytes(), saved.services()), (10, vec!["db", "queue"]));
    lab.live("db", "second");
    lab.live("queue", "second");
    let staged = store.stage(&store.find("a").unwrap(), &lives, &go_on()).unwrap();
    assert_eq!(text(&lives[0]), "second");
    staged.swap().unwrap();
    assert_eq!([text(&lives[0]), text(&lives[1])], ["first", "first"]);
    staged.swap_back().unwrap();
    assert_eq!([text(&lives[0]), text(&lives[1])], ["second", "second"]);
    staged.drop_rest().unwrap();
    let staged = store.stage(&store.find("a").unwrap(), &lives, &go_on()).unwrap();
    while !staged.parts.iter().all(|(_, _, copies)| copies.values().all(|it| it.is_settled(SystemTime::now()))) {
        std::thread::park_timeout(std::time::Duration::from_millis(1));
    }
    staged.swap().unwrap();
    staged.keep().unwrap();
    assert_eq!(names(&lab.base.path().join("data")).unwrap().len(), 2);
    // What was there before is out of the way, and removed when there is time.
    let trash = lab.home.snapshots().join(".trash");
    assert!(trash.exists());
    store.empty_trash();
    assert!(!trash.exists());
    // The very files that were restored are not copied again.
    lab.save(&store, "b", &lives).unwrap();
    let number = |name: &str| fs::metadata(lab.home.snapshots().join(name).join("db/file")).unwrap().ino();
    assert_eq!(number("a"), number("b"));
    assert_eq!(list(&lab.home).iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["b", "a"]);
    store.remove("a").unwrap();
    assert!(matches!(store.remove("a"), Err(Trouble::Unknown(_))));
    assert_eq!(fs::read_to_string(lab.home.snapshots().join("b/db/file")).unwrap(), "first");
}

#[test]
fn a_name_that_is_used_again_means_the_new_one_or_the_old_one() {
    let lab = Lab::new();
    let lives = [lab.live("db", "first")];
    let store = lab.store();
    lab.save(&store, "a", &lives).unwrap();
    lab.live("db", "second");
    let gone = [Live { service: "gone".into(), folder: "/nowhere".into(), volumes: Vec::new() }];
    let both = [lives[0].clone(), gone[0].clone()];
    assert!(matches!(lab.save(&store, "a", &both), Err(Trouble::NotCopied(NotCopied::Failed(..)))));
    assert!(matches!(store.save("a", None, &lives, &AtomicBool::new(true)), Err(Trouble::NotCopied(_))));
    let kept = || fs::read_to_string(lab.home.snapshots().join("a/db/file")).unwrap();
    assert_eq!(kept(), "first");
    lab.save(&store, "a", &lives).unwrap();
    assert_eq!(kept(), "second");
    assert!(
        matches!(store.stage(&store.find("a").unwrap(), &gone, &go_on()), Err(Trouble::Lacks(name)) if name == "gone")
    );
    assert!(!lab.home.snapshots().join(NEW).exists());
}

#[test]
fn one_at_a_time_and_what_was_left_goes() {
    let lab = Lab::new();
    let lives = [lab.live("db", "first")];
    let store = lab.store();
    lab.save(&store, "a", &lives).unwrap();
    assert!(matches!(Store::open(&lab.home), Err(Trouble::Busy(_))));
    make_private_folder(&lab.home.snapshots().join(NEW).join("db")).unwrap();
    let left = lab.home.data().join(".restored-db");
    make_private_folder(&left).unwrap();
    trash::discard(&lab.home.snapshots(), &lab.live("other", "unwanted").folder);
    assert!(!lab.home.data().join("other").exists());
    drop(store);
    let _held = lab.store();
    assert!(!lab.home.snapshots().join(NEW).exists() && !left.exists());
    assert!(!lab.home.snapshots().join(".trash").exists());
}

#[test]
fn what_was_before_goes_only_when_what_is_in_use_is_proven() {
    let lab = Lab::new();
    let lives = [lab.live("db", "first")];
    let store = lab.store();
    let saved = lab.save(&store, "a", &lives).unwrap();
    lab.live("db", "second");
    let aside = lab.base.path().join("data/.restored-db");
    let old = || fs::read_to_string(aside.join("file")).unwrap();
    let staged = store.stage(&saved, &lives, &go_on()).unwrap();
    assert!(staged.is_as_before());
    staged.swap().unwrap();
    assert!(!staged.is_as_before());
    // The restored data is in use, and what was before is all that there is of it.
    assert!(matches!(staged.drop_rest(), Err(Trouble::Midway(_))));
    assert_eq!((text(&lives[0]).as_str(), old().as_str()), ("first", "second"));
    drop(store);
    settle(&lab.home).unwrap();
    let store = lab.store();
    assert!(matches!(store.check_settled(), Err(Trouble::Unproven(at)) if at == aside));
    assert!(matches!(store.stage(&saved, &lives, &go_on()), Err(Trouble::Unproven(_))));
    lab.save(&store, "b", &lives).unwrap();
    store.remove("b").unwrap();
    assert_eq!(old(), "second");
    store.take_back().unwrap();
    assert_eq!((text(&lives[0]).as_str(), aside.exists()), ("second", false));
    assert!(matches!(store.take_back(), Err(Trouble::Nothing)));
    let staged = store.stage(&saved, &lives, &go_on()).unwrap();
    staged.swap().unwrap();
    // Somebody has put another folder there.
    fs::rename(&lives[0].folder, lab.base.path().join("mine")).unwrap();
    lab.live("db", "other");
    assert!(matches!(store.keep_restored(), Err(Trouble::Strange(at)) if at == lives[0].folder));
    assert!(matches!(staged.keep(), Err(Trouble::Strange(_))));
    assert_eq!((text(&lives[0]).as_str(), old().as_str()), ("other", "second"));
    fs::remove_dir_all(&lives[0].folder).unwrap();
    fs::rename(lab.base.path().join("mine"), &lives[0].folder).unwrap();
    store.keep_restored().unwrap();
    assert_eq!((text(&lives[0]).as_str(), aside.exists()), ("first", false));
    store.check_settled().unwrap();
}

#[test]
fn a_snapshot_that_was_about_to_be_replaced_is_there_again() {
    let lab = Lab::new();
    let lives = [lab.live("db", "first")];
    let store = lab.store();
    lab.save(&store, "a", &lives).unwrap();
    drop(store);
    // Without an exchange at once, ended after the first of its steps.
    let (place, new) = (lab.home.snapshots().join("a"), lab.home.snapshots().join(NEW));
    fs::rename(&place, swap::between(&new)).unwrap();
    let store = lab.store();
    assert_eq!(fs::read_to_string(place.join("db/file")).unwrap(), "first");
    drop(store);
    make_private_folder(&swap::between(&new)).unwrap();
    drop(lab.store());
    assert!(place.exists() && !swap::between(&new).exists());
}

#[test]
fn names_lead_nowhere_else() {
    let lab = Lab::new();
    let lives = [lab.live("db", "first")];
    let store = lab.store();
    lab.save(&store, "a", &lives).unwrap();
    for name in ["../snapshots/a", "./a", ".", "", "a/"] {
        assert!(store.find(name).is_none(), "{name}");
        assert!(matches!(store.remove(name), Err(Trouble::Unknown(_))), "{name}");
    }
    assert!(store.find("a").is_some());
}

#[test]
fn a_copy_that_lies_ready_is_used_once_and_only_for_its_snapshot() {
    let lab = Lab::new();
    let lives = [lab.live("db", "first")];
    let store = lab.store();
    let saved = lab.save(&store, "a", &lives).unwrap();
    drop(store);
    make_ready(&lab.home, "a", &go_on()).unwrap();
    let ready = lab.home.snapshots().join(".ready/db/file");
    // Where files are cloned there is none.
    let has_one = !extents::can_clone(&lab.home.snapshots());
    assert_eq!(ready.exists(), has_one);
    assert_eq!(ready_of(&lab.home).map(|saved| saved.name), has_one.then(|| "a".to_owned()));
    let number = fs::metadata(&ready).ok().map(|told| told.ino());
    lab.live("db", "second");
    let store = lab.store();
    let staged = store.stage(&saved, &lives, &go_on()).unwrap();
    staged.swap().unwrap();
    staged.keep().unwrap();
    assert_eq!(text(&lives[0]), "first");
    let now = fs::metadata(lives[0].folder.join("file")).unwrap().ino();
    assert!(!ready.exists() && number.is_none_or(|number| number == now));
    drop(store);
    make_ready(&lab.home, "a", &go_on()).unwrap();
    let store = lab.store();
    lab.live("db", "third");
    let saved = lab.save(&store, "a", &lives).unwrap();
    assert!(!ready.exists(), "it was of another snapshot of that name");
    let staged = store.stage(&saved, &lives, &go_on()).unwrap();
    staged.swap().unwrap();
    assert_eq!(text(&lives[0]), "third");
    drop(store);
    assert!(make_ready(&lab.home, "a", &AtomicBool::new(true)).is_err() == has_one);
    assert!(!lab.home.snapshots().join(".ready.new").exists());
}

/// Waits until something is so, as it soon has to be.
#[track_caller]
fn until(is_so: impl Fn() -> bool) {
    let begun = std::time::Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < std::time::Duration::from_secs(60));
        std::thread::park_timeout(std::time::Duration::from_millis(1));
    }
}

#[test]
fn a_copy_lies_ready_before_what_was_replaced_is_removed() {
    let lab = Lab::new();
    let lives = [lab.live("db", "first")];
    let store = lab.store();
    lab.save(&store, "a", &lives).unwrap();
    let folder = lab.home.snapshots();
    if extents::can_clone(&folder) {
        return;
    }
    trash::discard(&folder, &lab.live("other", "unwanted").folder);
    // Somebody is at work on the snapshots, so that the copy is not put into its place yet.
    std::thread::scope(|scope| {
        let made = scope.spawn(|| make_ready(&lab.home, "a", &go_on()));
        until(|| folder.join(".ready.new/ready.json").exists());
        assert!(folder.join(".trash").exists());
        drop(store);
        made.join().unwrap().unwrap();
    });
    assert!(folder.join(".ready/db/file").exists() && !folder.join(".trash").exists());
}

#[test]
fn who_only_looks_keeps_no_copy_from_being_made() {
    let lab = Lab::new();
    let lives = [lab.live("db", "first")];
    let store = lab.store();
    lab.save(&store, "a", &lives).unwrap();
    drop(store);
    let folder = lab.home.snapshots();
    let looks = locks::take(&folder.join(".ready.lock"), "sweep").unwrap();
    std::thread::scope(|scope| {
        let made = scope.spawn(|| make_ready(&lab.home, "a", &go_on()));
        // It waits for its turn, however long that takes.
        let begun = std::time::Instant::now();
        until(|| made.is_finished() || begun.elapsed() > std::time::Duration::from_millis(100));
        drop(looks);
        made.join().unwrap().unwrap();
    });
    assert_eq!(folder.join(".ready/db/file").exists(), !extents::can_clone(&folder));
}

#[test]
fn a_copy_that_is_being_made_is_waited_for() {
    let lab = Lab::new();
    let lives = [lab.live("db", "first")];
    let store = lab.store();
    let saved = lab.save(&store, "a", &lives).unwrap();
    let other = lab.save(&store, "b", &lives).unwrap();
    drop(store);
    let lock = lab.home.snapshots().join(".ready.lock");
    let made = locks::take(&lock, &format!("{} a", saved.time)).unwrap();
    wait_for_ready(&lab.home, &other, &go_on()).unwrap();
    let call_off = AtomicBool::new(true);
    let ended = wait_for_ready(&lab.home, &saved, &call_off);
    assert!(matches!(ended, Err(Trouble::NotCopied(NotCopied::CalledOff))), "{ended:?}");
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| wait_for_ready(&lab.home, &saved, &go_on()));
        drop(made);
        waits.join().unwrap().unwrap();
    });
}
