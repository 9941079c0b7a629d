//! Which of several instances is called next.

/// Of two that are drawn at random the one with less to do: nearly as even as looking at all of them, and nobody runs
/// after the one that was quiet a moment ago (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing").
/// `draw` gives a number below the one that it is given; there is at least one instance.
pub fn two_choices(count: usize, load: impl Fn(usize) -> u32, mut draw: impl FnMut(usize) -> usize) -> usize {
    if count < 2 {
        return 0;
    }
    let one = draw(count);
    // Another one, so that with two of them both are looked at.
    let other = (one + 1 + draw(count - 1)) % count;
    if load(other) < load(one) { other } else { one }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_less_loaded_of_two_different_ones_is_chosen() {
        let mut random = fastrand::Rng::with_seed(1);
        for count in 1..6 {
            for _ in 0..200 {
                let busiest = random.usize(..count);
                let mut drawn = random.fork();
                let load = |at: usize| if at == busiest { 9 } else { 1 };
                let chosen = two_choices(count, load, |below| drawn.usize(..below));
                assert!(
                    chosen < count && (count == 1 || chosen != busiest),
                    "{chosen} of {count}, {busiest} is busiest"
                );
            }
        }
    }

    #[test]
    fn equals_share_evenly() {
        let mut random = fastrand::Rng::with_seed(2);
        let mut chosen = [0_u32; 4];
        (0..4000).for_each(|_| chosen[two_choices(4, |_| 0, |below| random.usize(..below))] += 1);
        assert!(chosen.iter().all(|count| (850..1150).contains(count)), "{chosen:?}");
    }
}
