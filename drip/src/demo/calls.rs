//! The sample of usage: what an assistant's product meters while it answers questions.

use drip_client::Amount;

/// One call: what is metered, and what it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) meter: &'static str,
    pub(super) amount: Amount,
}

const SAMPLE: &str = include_str!("calls.csv");

/// The sample over and over.
pub(super) fn calls() -> impl Iterator<Item = Call> {
    SAMPLE.lines().skip(1).map(read).cycle()
}

fn read(line: &'static str) -> Call {
    let (meter, amount) = line.split_once(',').expect("the sample has two columns");
    Call { meter, amount: amount.parse().expect("the sample holds amounts") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_can_be_read_and_goes_on() {
        let lines = SAMPLE.lines().count() - 1;
        let twice: Vec<_> = calls().take(2 * lines).collect();
        assert_eq!(twice[..lines], twice[lines..]);
        assert!(twice.iter().all(|call| call.amount > Amount::default()));
    }

    /// The story counts on it: with less left than the smallest call costs, a decline exhausts an account.
    #[test]
    fn the_first_call_that_is_declined_finds_less_than_the_smallest_costs() {
        let smallest = calls().take(SAMPLE.lines().count() - 1).map(|call| call.amount.credits()).min();
        let mut left = 1_000_000;
        let declined = calls().find(|call| {
            left -= call.amount.credits();
            left < 0
        });
        left += declined.unwrap().amount.credits();
        assert!(left > 0 && left < smallest.unwrap(), "{left} of {smallest:?}");
    }
}
