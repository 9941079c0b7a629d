//! The words behind `dtab explain` that tell it of a request, where rules are for some requests alone.

use std::collections::BTreeSet;

use super::Call;
use crate::dtab::Path;
use crate::model::Rules;

/// More than that nobody types.
const MOST: usize = 300;

/// Those of a request of a name, with the header fields that the rules for it look at; none where there are no such
/// rules, or where they would be too many.
pub fn words(rules: &Rules, name: &Path, call: &Call<'_>, target: &str) -> Option<String> {
    let wanted: BTreeSet<&str> =
        rules.of_name(name).flat_map(|(_, rule)| &rule.when.headers).map(|(name, _)| name.as_str()).collect();
    rules.of_name(name).next()?;
    let mut words = vec!["--request".to_owned(), format!("{} {target}", call.method)];
    for (name, value) in call.headers() {
        if wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(name)) {
            words.extend(["-H".to_owned(), format!("{name}: {value}")]);
        }
    }
    let typed = shlex::try_join(words.iter().map(String::as_str)).ok()?;
    (typed.len() <= MOST).then_some(typed)
}
