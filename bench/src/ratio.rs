//! Medians and ratios, in whole numbers: a figure of a noisy machine has no more digits than that.

use std::fmt;

use serde::Serialize;

/// The middle one; of an even number the lower of the two in the middle. 0 of none.
pub fn median(mut figures: Vec<u64>) -> u64 {
    figures.sort_unstable();
    figures.get(figures.len().saturating_sub(1) / 2).copied().unwrap_or(0)
}

/// How many times as much, in hundredths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Ratio(pub u64);

impl Ratio {
    /// `figure` by `base`, rounded. None: there is nothing to compare with.
    pub fn of(figure: u64, base: u64) -> Option<Self> {
        let hundredths = (u128::from(figure) * 100 + u128::from(base) / 2).checked_div(u128::from(base))?;
        u64::try_from(hundredths).ok().map(Self)
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02} ×", self.0 / 100, self.0 % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_rounded_to_hundredths() {
        for (figure, base, text) in [
            (68_000, 17_000, "4.00 ×"),
            (2, 3, "0.67 ×"),
            (1, 3, "0.33 ×"),
            (0, 5, "0.00 ×"),
            (1_005, 1_000, "1.01 ×"),
        ] {
            assert_eq!(Ratio::of(figure, base).unwrap().to_string(), text);
        }
        assert_eq!(Ratio::of(5, 0), None);
    }

    #[test]
    fn the_median_is_one_of_the_figures() {
        for (figures, middle) in
            [(vec![], 0), (vec![7], 7), (vec![9, 1], 1), (vec![5, 9, 1], 5), (vec![4, 3, 2, 1], 2)]
        {
            assert_eq!(median(figures), middle);
        }
    }
}
