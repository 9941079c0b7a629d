//! Finding by a few letters.

/// How well a text has these letters in this order: fewer is better, none where it has not. What stands together and
/// early counts as better.
fn distance(letters: &str, text: &str) -> Option<usize> {
    let mut cost = 0;
    let mut at = 0;
    let text: Vec<char> = text.to_lowercase().chars().collect();
    for letter in letters.to_lowercase().chars().filter(|letter| !letter.is_whitespace()) {
        let gap = text[at..].iter().position(|char| *char == letter)?;
        // A word that begins is no gap.
        let begins = at + gap == 0 || !text[at + gap - 1].is_alphanumeric();
        cost += if begins { gap.min(1) } else { gap };
        at += gap + 1;
    }
    Some(cost)
}

/// Those whose texts have these letters, the best first; all, in their order, where there are none.
pub fn best<T>(letters: &str, all: impl Iterator<Item = T>, text: impl Fn(&T) -> String) -> Vec<T> {
    let mut found: Vec<(usize, T)> =
        all.filter_map(|it| distance(letters, &text(&it)).map(|distance| (distance, it))).collect();
    if !letters.trim().is_empty() {
        found.sort_by_key(|(distance, _)| *distance);
    }
    found.into_iter().map(|(_, it)| it).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_together_comes_first() {
        let all = ["build web", "test", "lint", "web test", "restart"];
        let found = |letters: &str| best(letters, all.into_iter(), |text| (*text).to_owned());
        assert_eq!(found("test"), ["test", "web test"]);
        assert_eq!(found("wt"), ["web test"]);
        assert_eq!(found("RT"), ["restart"]);
        assert_eq!(found(""), all);
        assert_eq!(found("xyz"), [""; 0]);
    }
}
