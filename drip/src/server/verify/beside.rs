//! The agent log: read beside the log as the journal is, by a second look at the views.

use std::collections::BTreeSet;

use futures::StreamExt as _;
use judge::Position;
use projector::FrozenViews;
use projector::tables::{AGENT_LOG, Table};
use tokio::sync::mpsc::Sender;

use super::feed::ROWS;
use crate::failure::{Exit, Failure};

/// The views as they were at one moment, and once more a moment later: journal and agent log are both read beside the
/// log, and a connection reads one table at a time. What the agent log got in between is left out.
pub(super) struct Frozen {
    pub(super) views: FrozenViews,
    pub(super) beside: FrozenViews,
}

/// Of each partition how far the views were read at first, and how far a moment later.
pub(super) type Newer = Vec<(u16, u64, u64)>;

/// Views only go on; where they went back, they were folded anew in between.
pub(super) fn newer(first: &[(u16, u64)], then: &[(u16, u64)]) -> Result<Newer, Failure> {
    let read = |of: &[(u16, u64)], partition| {
        of.iter().find(|(other, _)| *other == partition).map_or(0, |(_, read)| *read)
    };
    // Views name no partition of which they have read nothing.
    let partitions: BTreeSet<u16> = first.iter().chain(then).map(|(partition, _)| *partition).collect();
    let newer: Newer =
        partitions.into_iter().map(|number| (number, read(first, number), read(then, number))).collect();
    match newer.iter().all(|(_, first, then)| first <= then) {
        true => Ok(newer),
        false => {
            let what = "the views were folded anew while this began to read them";
            Err(Failure::new(Exit::Failed, what).try_this("Run it again."))
        }
    }
}

/// The rows of the agent log that are to be compared, in order.
pub(super) async fn read_agent_log(
    mut frozen: FrozenViews,
    since: Option<Position>,
    newer: &[(u16, u64, u64)],
    rows: &Sender<(&'static Table, Vec<String>)>,
) -> Result<(), Failure> {
    let mut lines = frozen.lines(&AGENT_LOG).chunks(ROWS);
    while let Some(batch) = lines.next().await {
        let batch: Vec<String> = batch.into_iter().collect::<Result<_, _>>().map_err(anyhow::Error::from)?;
        let asked = batch.into_iter().filter(|line| is_asked(line, since, newer)).collect();
        if rows.send((&AGENT_LOG, asked)).await.is_err() {
            return Ok(());
        }
    }
    drop(lines);
    frozen.close().await;
    Ok(())
}

/// A row behind `since`, and none that came between the two looks at the views.
fn is_asked(line: &str, since: Option<Position>, newer: &[(u16, u64, u64)]) -> bool {
    let mut numbers = line.trim_start_matches('[').split(',');
    let partition = numbers.next().and_then(|number| number.parse::<u16>().ok());
    let (Some(partition), Some(sequence)) =
        (partition, numbers.next().and_then(|number| number.parse::<u64>().ok()))
    else {
        return true;
    };
    let came_later = |(number, first, then): &(u16, u64, u64)| {
        *number == partition && (*first + 1..=*then).contains(&sequence)
    };
    let behind = since.is_none_or(|since| since.partition == partition && since.sequence < sequence);
    behind && !newer.iter().any(came_later)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_agent_log_is_compared_what_the_views_had_at_first() {
        let newer = newer(&[(0, 5)], &[(1, 3), (0, 7)]).expect("they went on");
        assert_eq!(newer, [(0, 5, 7), (1, 0, 3)]);
        let asked = |line: &str, since: Option<&str>| {
            let since = since.map(|since| since.parse().expect("a position"));
            is_asked(line, since, &newer)
        };
        // Between the two looks nothing is compared; beyond both nothing should stand.
        for (line, since, compared) in [
            ("[0,5,1,9]", None, true),
            ("[0,6,0,9]", None, false),
            ("[0,7,0,9]", None, false),
            ("[0,8,0,9]", None, true),
            ("[1,1,0,9]", None, false),
            ("[2,1,0,9]", None, true),
            ("[0,3,4,9]", Some("0-3-0"), false),
            ("[0,4,0,9]", Some("0-3-0"), true),
            ("[0,6,0,9]", Some("0-3-0"), false),
            ("[1,9,0,9]", Some("0-3-0"), false),
        ] {
            assert_eq!(asked(line, since), compared, "{line}, {since:?}");
        }
    }

    #[test]
    fn views_that_went_back_are_asked_for_again() {
        assert!(newer(&[(0, 5)], &[(0, 4)]).is_err());
        assert!(newer(&[(0, 5)], &[]).is_err());
        assert_eq!(newer(&[], &[(0, 4)]).expect("they went on"), [(0, 0, 4)]);
    }
}
