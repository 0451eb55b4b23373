//! A log that takes what is appended and never says what became of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use event_log::{AppendOutcome, Entry, EventLog, LogIdentity, ReadError};
use futures::future::join_all;
use futures::stream::BoxStream;
use ledger_core::commit::EncodedCommit;
use ledger_core::{PartitionId, Sequence};
use serde_json::json;

use crate::nats::Served;
use crate::refusals::soon;
use crate::world::World;

struct Stuck {
    log: Arc<dyn EventLog>,
    stuck: Arc<AtomicBool>,
}

#[async_trait]
impl EventLog for Stuck {
    fn identity(&self) -> LogIdentity {
        self.log.identity()
    }

    async fn append(&self, commit: &EncodedCommit) -> AppendOutcome {
        if self.stuck.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        self.log.append(commit).await
    }

    async fn read(&self, partition: PartitionId, sequence: Sequence) -> Result<Option<Entry>, ReadError> {
        self.log.read(partition, sequence).await
    }

    async fn head(&self, partition: PartitionId) -> Result<Sequence, ReadError> {
        self.log.head(partition).await
    }

    fn follow(
        &self,
        partition: PartitionId,
        after: Sequence,
    ) -> BoxStream<'static, Result<Entry, ReadError>> {
        self.log.follow(partition, after)
    }
}

#[tokio::test]
async fn debits_over_nats_are_answered_at_their_deadline_with_their_key() {
    let stuck = Arc::new(AtomicBool::new(false));
    let front = |log| Arc::new(Stuck { log, stuck: Arc::clone(&stuck) }) as Arc<dyn EventLog>;
    let served = Served::world(World::on(front).await).await;
    served.good("drip.adm.demo.open", json!({ "user_id": "anna", "initial_balance": "1" })).await;
    stuck.store(true, Ordering::SeqCst);
    let begin = Instant::now();
    let debits = (0..20).map(|number| {
        let body =
            json!({ "user_id": "anna", "amount": "0.001", "key": format!("k{number}"), "deadline": soon() });
        let served = &served;
        async move {
            let error = served.refused("drip.cmd.demo.debit", body, 504, "outcome_unknown").await;
            assert_eq!(error["key"], format!("k{number}"));
        }
    });
    join_all(debits).await;
    // The usual deadline would be ten seconds ahead.
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
}
