//! What is different in the answers of two versions to one request.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An answer, as far as it is compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub grpc_status: Option<u16>,
    /// Names in any case.
    pub fields: Vec<(String, String)>,
    /// `None` where it was longer than what is kept.
    pub body: Option<Vec<u8>>,
}

/// What does not count as different.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ignored {
    /// Header fields, besides those that are of one answer alone.
    pub fields: Vec<String>,
    /// In bodies of JSON.
    pub places: Vec<Place>,
}

/// Places in JSON: a pointer (RFC 6901) in which `*` is any one key or index. What is below is meant as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Place(Vec<String>);

/// A difference. What is not there is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// `status`, `grpc-status`, `header content-type`, `body`, or where in its JSON: `/items/0/name`.
    pub at: String,
    pub original: Option<String>,
    pub copy: Option<String>,
}

/// All differences, of which many are only counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Differences {
    pub list: Vec<Difference>,
    /// So many more.
    pub more: usize,
    /// A body was too long to be compared.
    pub is_partial: bool,
    /// Places were to be ignored, but the bodies differ and are no JSON.
    pub has_no_places: bool,
}

/// Fields that are of one answer, or follow from its body or its connection.
const OWN_FIELDS: [&str; 13] = [
    "age",
    "connection",
    "content-length",
    "date",
    "grpc-status",
    "keep-alive",
    "server-timing",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "via",
    "x-request-id",
];
/// Differences that are kept of one pair of answers.
const MOST: usize = 20;
/// The most of a value that is shown, in characters.
const SHOWN: usize = 120;

impl Differences {
    /// Compares the answers to a request and to its copy.
    pub fn of(original: &Answer, copy: &Answer, ignored: &Ignored) -> Self {
        let mut found = Self::default();
        if original.status != copy.status {
            found.add("status", Some(original.status.to_string()), Some(copy.status.to_string()));
        }
        if original.grpc_status != copy.grpc_status {
            let text = |status: Option<u16>| status.map(|status| status.to_string());
            found.add("grpc-status", text(original.grpc_status), text(copy.grpc_status));
        }
        found.fields(original, copy, ignored);
        match (&original.body, &copy.body) {
            (Some(one), Some(two)) => found.bodies((original, one), (copy, two), ignored),
            _ => found.is_partial = true,
        }
        found
    }

    pub fn is_none(&self) -> bool {
        self.list.is_empty()
    }

    fn add(&mut self, at: &str, original: Option<String>, copy: Option<String>) {
        if self.list.len() < MOST {
            self.list.push(Difference { at: at.to_owned(), original: original.map(short), copy: copy.map(short) });
        } else {
            self.more += 1;
        }
    }

    fn fields(&mut self, original: &Answer, copy: &Answer, ignored: &Ignored) {
        let mut names: Vec<String> = Vec::new();
        for (name, _) in original.fields.iter().chain(&copy.fields) {
            let name = name.to_ascii_lowercase();
            let is_ignored = OWN_FIELDS.contains(&name.as_str())
                || ignored.fields.iter().any(|ignored| ignored.eq_ignore_ascii_case(&name));
            if !is_ignored && !names.contains(&name) {
                names.push(name);
            }
        }
        for name in names {
            let (one, two) = (original.field(&name), copy.field(&name));
            if one != two {
                self.add(&format!("header {name}"), one, two);
            }
        }
    }

    fn bodies(&mut self, original: (&Answer, &[u8]), copy: (&Answer, &[u8]), ignored: &Ignored) {
        if original.1 == copy.1 {
            return;
        }
        // Who names places in JSON says that it is some.
        let is_told = !ignored.places.is_empty();
        match (json(original, is_told), json(copy, is_told)) {
            (Some(one), Some(two)) => self.values(&mut Vec::new(), (&one, &two), ignored),
            _ => {
                self.has_no_places = is_told;
                let same = original.1.iter().zip(copy.1).take_while(|(one, two)| one == two).count();
                let told =
                    |bytes: &[u8]| Some(format!("{} bytes, from byte {same} on {}", bytes.len(), rest(bytes, same)));
                self.add("body", told(original.1), told(copy.1));
            }
        }
    }

    fn values(&mut self, place: &mut Vec<String>, (one, two): (&Value, &Value), ignored: &Ignored) {
        if one == two || ignored.places.iter().any(|ignored| ignored.has(place)) {
            return;
        }
        match (one, two) {
            (Value::Object(ones), Value::Object(twos)) => {
                let keys = ones.keys().chain(twos.keys().filter(|key| !ones.contains_key(*key)));
                for key in keys {
                    self.part(place, key, (ones.get(key), twos.get(key)), ignored);
                }
            }
            (Value::Array(ones), Value::Array(twos)) => {
                for index in 0..ones.len().max(twos.len()) {
                    self.part(place, &index.to_string(), (ones.get(index), twos.get(index)), ignored);
                }
            }
            _ => self.add(&pointer(place), Some(one.to_string()), Some(two.to_string())),
        }
    }

    fn part(&mut self, place: &mut Vec<String>, key: &str, pair: (Option<&Value>, Option<&Value>), ignored: &Ignored) {
        place.push(key.to_owned());
        match pair {
            (Some(one), Some(two)) => self.values(place, (one, two), ignored),
            (one, two) if !ignored.places.iter().any(|ignored| ignored.has(place)) => {
                let text = |value: Option<&Value>| value.map(Value::to_string);
                self.add(&pointer(place), text(one), text(two));
            }
            _ => {}
        }
        place.pop();
    }
}

impl Answer {
    /// All values of a field, in their order (RFC 9110 section 5.3).
    fn field(&self, name: &str) -> Option<String> {
        let values = self.fields.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        let values: Vec<&str> = values.map(|(_, value)| value.as_str()).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }
}

/// A body as JSON, where it says that it is, or somebody else does, and no coding hides it.
fn json((answer, body): (&Answer, &[u8]), is_told: bool) -> Option<Value> {
    let kind = answer.field("content-type").unwrap_or_default().to_ascii_lowercase();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let is_json = is_told || kind == "application/json" || kind.ends_with("+json");
    (is_json && answer.field("content-encoding").is_none()).then(|| serde_json::from_slice(body).ok())?
}

/// RFC 6901 section 3.
fn pointer(place: &[String]) -> String {
    if place.is_empty() {
        return "body".to_owned();
    }
    place.iter().map(|key| format!("/{}", key.replace('~', "~0").replace('/', "~1"))).collect()
}

fn rest(bytes: &[u8], from: usize) -> String {
    let rest = bytes.get(from..).unwrap_or_default();
    String::from_utf8_lossy(&rest[..rest.len().min(40)]).escape_debug().to_string()
}

fn short(text: String) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

impl Place {
    fn has(&self, place: &[String]) -> bool {
        self.0.len() <= place.len() && self.0.iter().zip(place).all(|(own, key)| own == "*" || own == key)
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(keys) = text.strip_prefix('/').filter(|keys| !keys.is_empty()) else {
            return Err("a place in JSON begins with `/`: /items/*/id".to_owned());
        };
        Ok(Self(keys.split('/').map(|key| key.replace("~1", "/").replace("~0", "~")).collect()))
    }
}

impl TryFrom<String> for Place {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Place> for String {
    fn from(place: Place) -> Self {
        pointer(&place.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, fields: &[(&str, &str)], body: &str) -> Answer {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Answer { status, grpc_status: None, fields, body: Some(body.into()) }
    }

    fn told(one: &Answer, two: &Answer, ignored: &Ignored) -> Vec<String> {
        let found = Differences::of(one, two, ignored);
        let text = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        found.list.into_iter().map(|it| format!("{}: {} | {}", it.at, text(it.original), text(it.copy))).collect()
    }

    #[test]
    fn status_and_fields_are_compared_but_those_of_one_answer() {
        let one = answer(200, &[("Date", "1"), ("A", "x"), ("a", "y"), ("Etag", "1")], "");
        let two = answer(500, &[("date", "2"), ("a", "x"), ("B", "z"), ("ETag", "2")], "");
        let ignored = Ignored { fields: vec!["etag".to_owned()], places: Vec::new() };
        assert_eq!(told(&one, &two, &ignored), ["status: 200 | 500", "header a: x, y | x", "header b: - | z"]);
        let (mut one, mut two) = (answer(200, &[], ""), answer(200, &[], ""));
        (one.grpc_status, two.grpc_status) = (Some(0), Some(14));
        assert_eq!(told(&one, &two, &ignored), ["grpc-status: 0 | 14"]);
    }

    #[test]
    fn json_is_compared_by_what_it_says() {
        let kind = [("content-type", "application/problem+json; charset=utf-8")];
        let cases: [(&str, &str, &[&str], &[&str]); 9] = [
            (r#"{"a":1,"b":2}"#, r#"{ "b": 2, "a": 1 }"#, &[], &[]),
            (r#"{"a":1}"#, r#"{"a":"1","c":null}"#, &[], &["/a: 1 | \"1\"", "/c: - | null"]),
            (r#"[1,2,3]"#, r#"[1,3]"#, &[], &["/1: 2 | 3", "/2: 3 | -"]),
            (r#"{"a/b":{"~":1}}"#, r#"{"a/b":{"~":2}}"#, &[], &["/a~1b/~0: 1 | 2"]),
            (r#"{"a/b":{"~":1}}"#, r#"{"a/b":{"~":2}}"#, &["/a~1b/~0"], &[]),
            (
                r#"{"x":[{"id":1,"n":1}]}"#,
                r#"{"x":[{"id":2,"n":3},{}]}"#,
                &["/x/*/id"],
                &["/x/0/n: 1 | 3", "/x/1: - | {}"],
            ),
            (r#"{"x":[{"id":1}],"at":1}"#, r#"{"x":[{"id":2},{}]}"#, &["/x", "/at"], &[]),
            ("1", "2", &["/a"], &["body: 1 | 2"]),
            // What is no JSON after all is compared as bytes.
            ("{1}", "{12}", &[], &["body: 3 bytes, from byte 2 on } | 4 bytes, from byte 2 on 2}"]),
        ];
        for (one, two, places, expected) in cases {
            let ignored = Ignored { fields: Vec::new(), places: places.iter().map(|it| it.parse().unwrap()).collect() };
            assert_eq!(told(&answer(200, &kind, one), &answer(200, &kind, two), &ignored), expected, "{one} {two}");
        }
        // Nothing tells what it is, but that places in it are named.
        let places = Ignored { fields: Vec::new(), places: vec!["/at".parse().unwrap()] };
        let bare = |body: &str| answer(200, &[], body);
        let (one, two) = (bare(r#"{"at":1,"n":1}"#), bare(r#"{"n":2,"at":2}"#));
        assert_eq!(told(&one, &two, &places), ["/n: 1 | 2"]);
        assert!(told(&one, &two, &Ignored::default())[0].starts_with("body: 14 bytes, from byte 2 on"));
        for (one, two, ignored, is_told) in [
            (&one, &two, &places, false),
            (&bare("at 1"), &bare("at 2"), &places, true),
            (&bare("at 1"), &bare("at 1"), &places, false),
            (&bare("at 1"), &bare("at 2"), &Ignored::default(), false),
        ] {
            assert_eq!(Differences::of(one, two, ignored).has_no_places, is_told, "{one:?} {two:?} {ignored:?}");
        }
        let coded = [("content-type", "application/json"), ("content-encoding", "gzip")];
        assert_eq!(told(&answer(200, &coded, "[1]"), &answer(200, &coded, "[2]"), &Ignored::default()).len(), 1);
        assert!(["", "a", "/"].iter().all(|text| text.parse::<Place>().is_err()));
    }

    #[test]
    fn much_is_counted_and_cut() {
        let list = |from: usize| format!("{:?}", (from..from + 30).collect::<Vec<_>>());
        let kind = [("content-type", "application/json")];
        let found = Differences::of(&answer(200, &kind, &list(0)), &answer(200, &kind, &list(1)), &Ignored::default());
        assert_eq!((found.list.len(), found.more, found.is_partial), (MOST, 10, false));
        let long = [("a", "x".repeat(200))].map(|(name, value)| (name.to_owned(), value));
        let long = Answer { fields: long.to_vec(), body: None, ..answer(200, &[], "") };
        let found = Differences::of(&long, &answer(200, &[], ""), &Ignored::default());
        assert_eq!(found.list[0].original.as_ref().map(|text| text.chars().count()), Some(SHOWN + 1));
        assert!(found.is_partial && !found.is_none());
    }
}
