//! Changes, and histories as they may be found.

use super::*;

fn dtab(text: &str) -> Dtab {
    text.parse().unwrap()
}

fn change(namespace: Option<&str>, action: Action) -> Change {
    let who = if matches!(action, Action::Manifest(_)) { Author::manifest() } else { Author::new("me") };
    Change { namespace: namespace.map(str::to_owned), who, action }
}

/// Makes a change and says at which version things are then.
fn make(dtabs: &mut Dtabs, namespace: Option<&str>, action: Action) -> Result<u64, Refused> {
    if let Decision::Write(record) = dtabs.decide(&change(namespace, action), "now")? {
        dtabs.accept(&record)?;
    }
    Ok(dtabs.last_version(namespace))
}

fn put(text: &str, if_version: Option<u64>) -> Action {
    Action::Put { dtab: dtab(text), if_version }
}

#[test]
fn a_change_counts_only_for_the_version_that_it_was_made_of() {
    let mut dtabs = Dtabs::default();
    assert_eq!(make(&mut dtabs, None, put("/a=>/b", Some(0))), Ok(1));
    let refused = make(&mut dtabs, None, put("/a=>/c", Some(0))).unwrap_err();
    let (who, time) = ("me".to_owned(), "now".to_owned());
    assert_eq!(refused, Refused::Changed { wanted: 0, version: 1, who, time });
    assert_eq!(make(&mut dtabs, None, put("/a=>/c", None)), Ok(2));
    assert_eq!(dtabs.routes(), dtab("/a=>/c"));
}

#[test]
fn the_manifest_counts_when_it_says_something_new() {
    let mut dtabs = Dtabs::default();
    let manifest = |text: &str| Action::Manifest(dtab(text));
    assert_eq!(make(&mut dtabs, None, manifest("")), Ok(0), "it says nothing, as before");
    assert_eq!(make(&mut dtabs, None, manifest("/a=>/1")), Ok(1));
    assert_eq!(make(&mut dtabs, None, put("/a=>/2", None)), Ok(2));
    assert_eq!(make(&mut dtabs, None, manifest("/a => /1 ;")), Ok(2), "the same entries, written otherwise");
    assert_eq!(dtabs.routes(), dtab("/a=>/2"));
    assert_eq!(make(&mut dtabs, None, manifest("")), Ok(3), "they were taken out of it");
    assert_eq!((dtabs.routes(), dtabs.own().who), (Dtab::default(), "manifest".to_owned()));
}

#[test]
fn other_dtabs_come_and_go_with_versions_of_their_own() {
    let mut dtabs = Dtabs::default();
    let other = Some("other");
    assert_eq!(make(&mut dtabs, other, put("/a=>/b", Some(1))).unwrap_err(), missing());
    assert_eq!(make(&mut dtabs, other, Action::Delete).unwrap_err(), missing());
    assert_eq!(make(&mut dtabs, other, Action::Create(dtab("/a=>/b"))), Ok(1));
    let exists = Refused::Exists { namespace: "other".to_owned() };
    assert_eq!(make(&mut dtabs, other, Action::Create(dtab(""))).unwrap_err(), exists);
    assert_eq!(dtabs.others().collect::<Vec<_>>(), ["other"]);
    assert_eq!(make(&mut dtabs, other, Action::Delete), Ok(2));
    assert_eq!((dtabs.others().count(), dtabs.get(other)), (0, None));
    assert_eq!(make(&mut dtabs, other, put("", None)), Ok(3), "no version means two things");
    assert_eq!(dtabs.own().version, 0);
}

fn missing() -> Refused {
    Refused::Missing { namespace: "other".to_owned() }
}

#[test]
fn a_history_that_is_cut_off_anywhere_has_what_was_whole() {
    let mut dtabs = Dtabs::default();
    let mut text = Vec::new();
    let mut ends = vec![0];
    for entry in ["/a=>/1", "/a=>/2 & 0.1*/x", ""] {
        let Ok(Decision::Write(record)) = dtabs.decide(&change(None, put(entry, None)), "now") else { panic!() };
        dtabs.accept(&record).unwrap();
        text.extend(serde_json::to_vec(&record).unwrap());
        text.push(b'\n');
        ends.push(text.len());
    }
    for length in 0..=text.len() {
        let found = read(&text[..length]);
        let whole = ends.iter().filter(|end| **end <= length).count() - 1;
        assert_eq!((found.records.len(), found.whole), (whole, ends[whole]), "{length}");
        assert_eq!(found.notices.len(), usize::from(ends[whole] != length), "{length}");
        assert_eq!(found.records.last().map(|it| it.version), (whole > 0).then_some(whole as u64));
    }
    assert_eq!(read(&text).dtabs, dtabs);
}

#[test]
fn a_line_that_somebody_has_spoilt_is_told_and_passed_over() {
    let line = |version: u64, dtab: &str| {
        let record = Record {
            version,
            time: String::new(),
            who: "me".to_owned(),
            dtab: Some(dtab.to_owned()),
            manifest: None,
            namespace: None,
        };
        serde_json::to_string(&record).unwrap() + "\n"
    };
    let text = [line(1, "/a=>/1"), "{}\n".to_owned(), line(2, "no dtab"), line(3, "/a=>/3")].concat();
    let found = read(text.as_bytes());
    assert_eq!((found.records.len(), found.whole, found.notices.len()), (2, text.len(), 2), "{:?}", found.notices);
    assert_eq!((found.dtabs.own().version, found.dtabs.routes()), (3, dtab("/a=>/3")));
    // At the end there is nothing behind it that it could spoil.
    let text = [line(1, "/a=>/1"), "{}\n".to_owned()].concat();
    assert_eq!((read(text.as_bytes()).whole, read(text.as_bytes()).records.len()), (text.len() - 3, 1));
}

#[test]
fn nobody_is_taken_for_the_manifest() {
    let shown = |words| Author::new(words).0;
    assert_eq!(["manifest", " ", "a\nb", "me"].map(shown), ["somebody", "somebody", "ab", "me"]);
    assert_eq!(shown(&"x".repeat(500)).len(), LONGEST_NAME);
}
