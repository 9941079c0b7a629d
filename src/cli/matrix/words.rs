//! The words by which services and versions are told: `users=v1,v2`.

use std::path::Path;

use crate::cli::error::Error;
use crate::effects::fs;
use crate::resilience::compat::count;
use crate::runtime::{Meant, Word};

/// A service and its versions.
type Row = (String, Vec<Word>);

/// Reads all of them, or tells everything that is wrong. Folders are relative to `here`.
pub fn read(words: &[String], limit: usize, here: &Path) -> Result<Vec<Row>, Error> {
    let mut wrong = Vec::new();
    let mut rows: Vec<Row> = Vec::new();
    for text in words {
        match row(text, here) {
            Ok((service, _)) if rows.iter().any(|(known, _)| *known == service) => {
                wrong.push(format!("{service} is there twice; its versions belong together: `{service}=v1,v2`"));
            }
            Ok(row) => rows.push(row),
            Err(more) => wrong.extend(more),
        }
    }
    if !wrong.is_empty() {
        let hint =
            "`nagaya matrix users=v1,v2 orders=main,. -- npm test`: services, their versions, the present one first";
        return Err(Error::usage(wrong.join("\n  ")).hint(hint));
    }
    let counts: Vec<usize> = rows.iter().map(|(_, versions)| versions.len()).collect();
    match count(&counts) {
        Some(all) if all <= limit => Ok(rows),
        all => {
            let product = counts.iter().map(usize::to_string).collect::<Vec<_>>().join(" × ");
            let all = all
                .map_or(product.clone(), |all| if counts.len() > 1 { format!("{product} = {all}") } else { product });
            let error = Error::usage(format!("{all} combinations would be booted, and the limit is {limit}"));
            Err(error.hint("fewer versions, or `--limit N` where this machine has room for so many"))
        }
    }
}

fn row(text: &str, here: &Path) -> Result<Row, Vec<String>> {
    let Some((service, versions)) = text.split_once('=').filter(|(service, _)| !service.is_empty()) else {
        return Err(vec![format!("`{text}` is no service with versions")]);
    };
    let mut wrong = Vec::new();
    let mut words: Vec<Word> = Vec::new();
    for text in versions.split(',').map(str::trim) {
        match word(text, here) {
            None => wrong.push(format!("`{service}={versions}` has an empty version")),
            Some(word) if words.contains(&word) => wrong.push(format!("{service} has `{text}` twice")),
            Some(word) => words.push(word),
        }
    }
    if wrong.is_empty() { Ok((service.to_owned(), words)) } else { Err(wrong) }
}

fn word(text: &str, here: &Path) -> Option<Word> {
    let is_folder = text == ".." || ["./", "../", "/"].iter().any(|start| text.starts_with(start));
    let meant = match text.strip_prefix("git:") {
        Some("") => return None,
        Some(name) => Meant::Git(name.to_owned()),
        None if text.is_empty() => return None,
        None if text == "." => Meant::Here,
        None if is_folder => {
            let folder = here.join(text);
            Meant::Folder(fs::real(&folder).unwrap_or(folder))
        }
        None => Meant::Named(text.to_owned()),
    };
    Some(Word { text: text.to_owned(), meant })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(words: &[&str], limit: usize) -> Result<Vec<Row>, String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        read(&words, limit, Path::new("/nowhere")).map_err(|error| error.message)
    }

    #[test]
    fn words_mean_versions_refs_and_folders() {
        let rows = told(&["users=v1,git:v1, feature/x", "orders=.,../next,/a/b"], 9).unwrap();
        let meant: Vec<&Meant> = rows.iter().flat_map(|(_, words)| words).map(|word| &word.meant).collect();
        assert_eq!(
            meant,
            [
                &Meant::Named("v1".into()),
                &Meant::Git("v1".into()),
                &Meant::Named("feature/x".into()),
                &Meant::Here,
                &Meant::Folder("/nowhere/../next".into()),
                &Meant::Folder("/a/b".into()),
            ]
        );
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let wrong = told(&["users", "orders=v1,,v1", "web=", "cart=a", "cart=b", "=x", "a=git:"], 16).unwrap_err();
        assert_eq!(
            wrong.split("\n  ").collect::<Vec<_>>(),
            [
                "`users` is no service with versions",
                "`orders=v1,,v1` has an empty version",
                "orders has `v1` twice",
                "`web=` has an empty version",
                "cart is there twice; its versions belong together: `cart=v1,v2`",
                "`=x` is no service with versions",
                "`a=git:` has an empty version",
            ]
        );
    }

    #[test]
    fn the_number_of_combinations_has_a_limit() {
        assert!(told(&["a=1,2", "b=1,2"], 4).is_ok());
        let wrong = told(&["a=1,2", "b=1,2,3"], 4).unwrap_err();
        assert_eq!(wrong, "2 × 3 = 6 combinations would be booted, and the limit is 4");
        assert_eq!(told(&["a=1,2"], 1).unwrap_err(), "2 combinations would be booted, and the limit is 1");
    }
}
