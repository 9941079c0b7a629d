//! Dtabs and their versions as texts (linkerd: `DtabCodec`, `DtabStore.versionString`).

use axum::http::header::HeaderValue;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::Refusal;
use crate::dtab::{Dentry, Dtab, NameTree, Path, Prefix, SyntaxError};
use crate::route::history::Refused;

pub const JSON: &str = "application/json";

/// A form of dtabs, by the media type that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    Json,
    Dtab,
    Plain,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    prefix: String,
    dst: String,
}

impl Codec {
    /// The form of a media type.
    fn of(media_type: &str) -> Option<Self> {
        match media_type {
            JSON => Some(Self::Json),
            "application/dtab" => Some(Self::Dtab),
            "text/plain" => Some(Self::Plain),
            _ => None,
        }
    }

    /// The first form that is accepted; JSON where none is.
    pub fn accepted<'h>(headers: impl Iterator<Item = &'h str>) -> Self {
        let mut types = headers.flat_map(|header| header.split(',')).map(|kind| media_type(kind.as_bytes()));
        types.find_map(|kind| Self::of(&kind)).unwrap_or(Self::Json)
    }

    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => JSON,
            Self::Dtab => "application/dtab",
            Self::Plain => "text/plain",
        }
    }

    /// A dtab in this form.
    pub fn write(self, dtab: &Dtab) -> String {
        match self {
            Self::Dtab | Self::Plain => dtab.to_string(),
            Self::Json => {
                let entry = |it: &Dentry| Entry { prefix: it.prefix.to_string(), dst: it.tree.to_string() };
                let entries: Vec<Entry> = dtab.entries().iter().map(entry).collect();
                serde_json::to_string(&entries).unwrap_or_default()
            }
        }
    }

    fn read(self, body: &[u8]) -> Result<Dtab, String> {
        let syntax = |error: SyntaxError| format!("{error}\n{}", error.excerpt());
        if self != Self::Json {
            let text = std::str::from_utf8(body).map_err(|error| format!("Invalid dtab: {error}"))?;
            return text.parse().map_err(|error| format!("Invalid dtab: {}", syntax(error)));
        }
        let entries: Vec<Entry> = serde_json::from_slice(body).map_err(|error| format!("Invalid dtab: {error}"))?;
        let entry = |(place, it): (usize, &Entry)| {
            let told = |error| format!("Invalid dtab: entry {}: {}", place + 1, syntax(error));
            let prefix: Prefix = it.prefix.parse().map_err(told)?;
            let tree: NameTree<Path> = it.dst.parse().map_err(told)?;
            Ok(Dentry { prefix, tree })
        };
        entries.iter().enumerate().map(entry).collect()
    }
}

/// A media type without its parameters.
pub fn media_type(header: &[u8]) -> String {
    let text = String::from_utf8_lossy(header);
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Reads the dtab of a request.
pub fn read(content_type: Option<&HeaderValue>, body: &[u8]) -> Result<Dtab, Refusal> {
    let kind = content_type.map(HeaderValue::as_bytes).unwrap_or_default();
    let codec = Codec::of(&media_type(kind)).ok_or_else(|| {
        let kind = String::from_utf8_lossy(kind);
        Refusal::bad(format!("Invalid Content-Type \"{kind}\". There are {JSON}, application/dtab and text/plain."))
    })?;
    codec.read(body).map_err(Refusal::bad)
}

/// A version as linkerd's store in memory has it: eight bytes in base64.
pub fn stamp(version: u64) -> String {
    STANDARD.encode(version.to_be_bytes())
}

/// The version of what is no stamp, which nothing ever has.
const NO_VERSION: u64 = u64::MAX;

/// The version of a stamp.
pub fn version(stamp: &[u8]) -> u64 {
    let bytes = STANDARD.decode(unquoted(stamp.trim_ascii())).ok();
    bytes.and_then(|bytes| bytes.try_into().ok()).map_or(NO_VERSION, u64::from_be_bytes)
}

/// Why a change was not made, in the words of this API: a version is told as its stamp.
pub fn refused(refused: &Refused) -> String {
    match refused {
        Refused::Changed { wanted: NO_VERSION, version, .. } => format!(
            "If-Match is none of the versions that this API gives as ETag; the dtab is at {} now (version {version})",
            stamp(*version)
        ),
        Refused::Changed { version, .. } => format!("{refused}: a GET tells it, with its ETag {}", stamp(*version)),
        other => other.to_string(),
    }
}

/// A stamp in quotes is HTTP's own form; linkerd has none.
fn unquoted(stamp: &[u8]) -> &[u8] {
    stamp.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(stamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_stamped_as_linkerds() {
        assert_eq!(stamp(1), "AAAAAAAAAAE=");
        for number in [0, 1, 255, 256, u64::MAX - 1] {
            assert_eq!(version(stamp(number).as_bytes()), number);
        }
        assert_eq!(version(b"\"AAAAAAAAAAE=\""), 1, "as HTTP has it");
        assert_eq!([b"yolo".as_slice(), b"", b"*", b"AAE="].map(version), [u64::MAX; 4]);
    }

    #[test]
    fn what_is_no_version_is_not_told_as_one() {
        let changed = |wanted| Refused::Changed { wanted, version: 1, who: "me".to_owned(), time: "now".to_owned() };
        let told = refused(&changed(version(b"yolo")));
        assert!(told.contains("If-Match is none of the versions") && told.contains("AAAAAAAAAAE="), "{told}");
        assert!(!told.contains("18446744073709551615"), "{told}");
        let told = refused(&changed(7));
        assert!(told.contains("not at 7") && told.contains("ETag AAAAAAAAAAE="), "{told}");
    }

    #[test]
    fn the_first_form_that_is_accepted_is_used() {
        let accepted = |header: &'static str| Codec::accepted([header].into_iter()).media_type();
        assert_eq!(accepted("application/dtab;q=0.9, application/json"), "application/dtab");
        assert_eq!(accepted("text/html,TEXT/plain"), "text/plain");
        assert_eq!([accepted("*/*"), accepted(""), accepted("image/png, application/json")], [JSON; 3]);
    }

    #[test]
    fn both_forms_say_the_same() {
        let dtab: Dtab = "/svc=>/#/local;/svc/*=>0.001*/a & /b | !".parse().unwrap();
        for codec in [Codec::Json, Codec::Dtab, Codec::Plain] {
            assert_eq!(codec.read(codec.write(&dtab).as_bytes()), Ok(dtab.clone()));
        }
        let json = r#"[{"prefix":"/svc","dst":"/#/local"},{"prefix":"/svc/*","dst":"0.001*/a & /b | !"}]"#;
        assert_eq!(Codec::Json.write(&dtab), json);
    }

    #[test]
    fn what_is_no_dtab_is_told_with_its_place() {
        let told = |codec: Codec, body: &str| codec.read(body.as_bytes()).unwrap_err();
        assert!(told(Codec::Dtab, "/a =>\n/b ->").starts_with("Invalid dtab: line 2, column 4: "));
        let entry = r#"[{"prefix":"/a","dst":"/b"},{"prefix":"/a","dst":"b"}]"#;
        assert!(told(Codec::Json, entry).starts_with("Invalid dtab: entry 2: line 1, column 1: "));
        for body in ["[null]", "{}", "[{}]", "[", "\"/a=>/b\""] {
            assert!(told(Codec::Json, body).contains("line 1 column"), "{body}");
        }
    }
}
