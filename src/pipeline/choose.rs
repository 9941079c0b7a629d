//! What is meant by a few letters: the order in which names are offered to whoever picks one.

/// A name that has the letters in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranked {
    /// The place among the names.
    pub place: usize,
    /// The places of the letters in it, in characters.
    pub at: Vec<usize>,
    score: i32,
}

/// The names that have all letters of `query` in this order, the best first: letters at the beginnings of words and
/// side by side count most, and a short name more than a long one.
pub fn rank<'a>(query: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<Ranked> {
    let wanted: Vec<char> = query.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect();
    let mut ranked: Vec<Ranked> =
        names.into_iter().enumerate().filter_map(|(place, name)| judge(place, &wanted, name)).collect();
    ranked.sort_by_key(|it| (-it.score, it.place));
    ranked
}

fn judge(place: usize, wanted: &[char], name: &str) -> Option<Ranked> {
    let letters: Vec<char> = name.chars().collect();
    let lower: Vec<char> = letters.iter().map(|c| c.to_lowercase().next().unwrap_or(*c)).collect();
    if wanted.is_empty() {
        return Some(Ranked { place, at: Vec::new(), score: 0 });
    }
    // A name may have its first letter in several places; each is a beginning to try.
    let starts = (0..lower.len()).filter(|start| lower[*start] == wanted[0]);
    let length = i32::try_from(letters.len()).unwrap_or(i32::MAX / 2);
    let tries = starts.filter_map(|start| follow(start, wanted, &lower));
    let best = tries.map(|at| (value(&at, &letters), at)).max_by_key(|(score, _)| *score)?;
    Some(Ranked { place, at: best.1, score: best.0 - length })
}

/// The places of the letters from `start` on: the next beginning of a word before the next letter that is the same.
fn follow(start: usize, wanted: &[char], lower: &[char]) -> Option<Vec<usize>> {
    let mut at = vec![start];
    for letter in &wanted[1..] {
        let from = at.last()? + 1;
        let beside = (lower.get(from) == Some(letter)).then_some(from);
        let places = || (from..lower.len()).filter(|place| lower[*place] == *letter);
        let next = beside.or_else(|| places().find(|place| begins(*place, lower))).or_else(|| places().next())?;
        at.push(next);
    }
    Some(at)
}

fn value(at: &[usize], letters: &[char]) -> i32 {
    let beside = at.windows(2).filter(|pair| pair[1] == pair[0] + 1).count();
    let beginnings = at.iter().filter(|place| begins(**place, letters)).count();
    i32::try_from(beside * 35 + beginnings * 30).unwrap_or(i32::MAX / 2)
}

fn begins(place: usize, letters: &[char]) -> bool {
    place == 0 || !letters[place - 1].is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order<'a>(query: &str, names: &[&'a str]) -> Vec<&'a str> {
        rank(query, names.iter().copied()).into_iter().map(|it| names[it.place]).collect()
    }

    #[test]
    fn beginnings_and_neighbours_count() {
        assert_eq!(order("ut", &["output", "users:test", "build"]), ["users:test", "output"]);
        assert_eq!(order("test", &["t-e-s-t", "latest", "test"]), ["test", "t-e-s-t", "latest"]);
        assert_eq!(order("", &["b", "a"]), ["b", "a"]);
        assert_eq!(order("xyz", &["b", "a"]), [""; 0]);
    }

    #[test]
    fn the_letters_are_marked() {
        assert_eq!(rank("UT", ["users:test"])[0].at, [0, 6]);
    }
}
