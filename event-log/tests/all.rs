//! The backends, on real files, a real nats-server and in memory: the contract, and what only one of them promises.

mod anchors;
mod answers;
mod faults;
mod jetstream;
mod opening;
mod setup;
mod sim;
mod sqlite;

/// One test for each function of the contract that takes nothing but a fresh log.
macro_rules! contract {
    () => {
        crate::contract!(
            an_appended_commit_is_read_back_and_is_the_head,
            the_same_bytes_again_are_stored_or_conflict_with_themselves,
            other_bytes_at_a_taken_sequence_conflict,
            an_append_behind_a_gap_conflicts,
            partitions_are_independent,
            a_follower_sees_history_then_live_from_any_point,
            a_waiting_follower_is_woken_by_each_append,
            what_does_not_belong_to_the_log_is_fatal,
            news_come_from_the_ends_of_all_partitions_without_a_gap,
            a_commit_that_can_not_be_decoded_ends_the_news,
        );
    };
    ($($name:ident),+ $(,)?) => {
        $(
            #[tokio::test]
            async fn $name() {
                let fresh = super::fresh().await;
                event_log::contract::$name(fresh.log()).await;
            }
        )+
    };
}
use contract;
