//! How much of a union's requests a branch gets, in relation to the others.

/// A number that is finite and not below zero.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Weight(f64);

impl Weight {
    /// The weight of a branch without one.
    pub const ONE: Self = Self(1.0);

    /// `None` for what cannot be a share: a number below zero, an infinite one, or none.
    pub fn new(value: f64) -> Option<Self> {
        // Adding zero makes a plain zero of `-0`, which no text could say.
        (value.is_finite() && value >= 0.0).then_some(Self(value + 0.0))
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

/// The share of each of these weights, in `0..=1`; all the same where all weights are zero (finagle: `Drv`).
pub(super) fn shares(weights: &[Weight]) -> Vec<f64> {
    let most = weights.iter().map(|weight| weight.0).fold(0.0, f64::max);
    if most == 0.0 {
        return vec![1.0 / weights.len() as f64; weights.len()];
    }
    // Divided by the greatest first, so that the sum of huge ones stays finite.
    let total: f64 = weights.iter().map(|weight| weight.0 / most).sum();
    weights.iter().map(|weight| weight.0 / most / total).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(values: &[f64]) -> Vec<Weight> {
        values.iter().map(|value| Weight::new(*value).unwrap()).collect()
    }

    #[test]
    fn a_weight_is_a_share() {
        for bad in [-1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(Weight::new(bad), None, "{bad}");
        }
        assert!(Weight::new(-0.0).unwrap().get().is_sign_positive());
    }

    #[test]
    fn shares_are_of_the_whole() {
        assert_eq!(shares(&weights(&[1.0, 3.0])), [0.25, 0.75]);
        assert_eq!(shares(&weights(&[0.0, 0.0])), [0.5, 0.5]);
        assert_eq!(shares(&weights(&[f64::MAX, f64::MAX])), [0.5, 0.5]);
        assert_eq!(shares(&[]), [0.0; 0]);
    }
}
