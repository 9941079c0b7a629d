//! `identifier`: what names requests, in turn.

use super::Unit;
use crate::dtab::{Identifier, Path};
use crate::manifest::problem::{Problem, Problems};
use crate::manifest::raw::{IdentifierRecord, NamedBy};
use crate::manifest::read::{At, OrBrief};
use crate::manifest::source::Span;

/// The identifiers of the main manifest.
pub fn identifiers(main: &Unit, problems: &mut Problems) -> Vec<Identifier> {
    let all = main.raw.identifier.iter().flat_map(|list| &list.0);
    all.filter_map(|At { value: OrBrief(record), span }| identifier(record, *span, problems)).collect()
}

fn identifier(record: &IdentifierRecord, span: Span, problems: &mut Problems) -> Option<Identifier> {
    let IdentifierRecord { by, header, path, consume, r#static } = record;
    let consume = consume.unwrap_or_default();
    let by = by.map(|by| match by.0 {
        NamedBy::Host => Identifier::HeaderToken { header: "host".to_owned() },
        NamedBy::MethodAndHost => Identifier::MethodAndHost { with_uri: false },
        NamedBy::Name => Identifier::Header { header: "l5d-name".to_owned() },
        NamedBy::Grpc => Identifier::HeaderPath { header: ":path".to_owned(), segments: Some(1) },
    });
    let header = header.clone().map(|header| Identifier::Header { header });
    let by_path = path.as_ref().map(|segments| Identifier::UrlPath { segments: segments.value as usize, consume });
    let is_fixed = r#static.is_some();
    let fixed = r#static.as_ref().and_then(|text| fixed(text, problems));
    let mut found = [by, header, by_path, fixed].into_iter().flatten();
    let complain = |text: &str| Problem::error("bad_identifier", text.to_owned()).at(span);
    match (found.next(), found.next()) {
        (_, Some(_)) => {
            problems
                .push(complain("an identifier has one of `by`, `header`, `path` and `static`").hint("list several"));
            None
        }
        (None, None) if !is_fixed => {
            problems.push(complain("an identifier needs one of `by`, `header`, `path` and `static`"));
            None
        }
        (Some(Identifier::UrlPath { segments: 0, .. }), _) => {
            problems.push(complain("a name has one segment of the path at least"));
            None
        }
        (found, _) if consume && path.is_none() => {
            problems.push(complain("`consume` belongs to `path`"));
            found
        }
        (found, _) => found,
    }
}

fn fixed(text: &At<String>, problems: &mut Problems) -> Option<Identifier> {
    match text.value.parse::<Path>() {
        Ok(path) => Some(Identifier::Static(path)),
        Err(error) => {
            let problem = Problem::error("dtab_syntax", error.message()).at(text.span);
            problems.push(problem.maybe_hint(error.hint));
            None
        }
    }
}
