//! Reading commits in order: in batches while there is history, then woken by the writer or by the clock.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use ledger_core::commit::Prefix;
use ledger_core::{PartitionId, Sequence};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use tokio::sync::watch;

use super::{Shared, number};
use crate::classify::{Place, verify};
use crate::{Entry, ReadError};

/// How long a follower waits for a word from the writer before it looks by itself: in another process it
/// never gets one.
const POLL: Duration = Duration::from_millis(100);
const BATCH_ROWS: u32 = 256;
const BATCH_BYTES: usize = 4 << 20;

const BATCH: &str = "SELECT sequence, hash, bytes FROM commits WHERE partition = ?1 AND sequence > ?2 \
     ORDER BY sequence LIMIT ?3";

pub(super) fn follow(
    shared: Arc<Shared>,
    partition: PartitionId,
    after: Sequence,
) -> BoxStream<'static, Result<Entry, ReadError>> {
    let grown = shared.grown.subscribe();
    let follower = Follower { shared, grown, partition, last: after, ready: VecDeque::new() };
    stream::try_unfold(follower, |mut follower| async {
        let entry = follower.next().await?;
        Ok(Some((entry, follower)))
    })
    .boxed()
}

struct Follower {
    shared: Arc<Shared>,
    grown: watch::Receiver<()>,
    partition: PartitionId,
    last: Sequence,
    ready: VecDeque<Result<Entry, ReadError>>,
}

impl Follower {
    async fn next(&mut self) -> Result<Entry, ReadError> {
        self.shared.identity.has(self.partition)?;
        loop {
            if let Some(entry) = self.ready.pop_front() {
                self.last += 1;
                return entry;
            }
            // Before the query, so that what is appended meanwhile wakes the wait below.
            self.grown.mark_unchanged();
            self.ready = self.shared.batch(self.partition, self.last, BATCH_ROWS).await?;
            if self.ready.is_empty() {
                // Either is a reason to look again; which one it was does not matter.
                let _ = tokio::time::timeout(POLL, self.grown.changed()).await;
            }
        }
    }
}

impl Shared {
    /// The commits right after `after`, until there are no more or the batch is full, or one is damaged:
    /// that one comes as an error, the last item.
    pub(super) async fn batch(
        &self,
        partition: PartitionId,
        after: Sequence,
        rows: u32,
    ) -> Result<VecDeque<Result<Entry, ReadError>>, ReadError> {
        let query = sqlx::query(BATCH).bind(i64::from(partition.0)).bind(number(after)).bind(rows);
        let mut found = query.fetch(&self.readers);
        let mut batch = VecDeque::new();
        let mut place = Place { log: self.identity.log, partition, sequence: after };
        let mut bytes = 0;
        while let Some(row) = found.try_next().await.map_err(|error| self.unread(place, error))? {
            place.sequence += 1;
            bytes += row.try_get::<&[u8], _>("bytes").map_or(0, <[u8]>::len);
            batch.push_back(commit(place, &row));
            if batch.back().is_some_and(Result::is_err) || bytes >= BATCH_BYTES {
                break;
            }
        }
        self.is_still()?;
        Ok(batch)
    }

    /// Nobody has begun to write what is read as if nobody did: pages of two moments look like damage.
    pub(super) fn is_still(&self) -> Result<(), ReadError> {
        match &self.still {
            Some(still) if !still.is_so() => {
                let source =
                    "somebody began to write to log.db while it was read without rights: run it again".into();
                Err(ReadError::Unavailable { doing: "reading commits from SQLite", source })
            }
            _ => Ok(()),
        }
    }

    fn unread(&self, place: Place, error: sqlx::Error) -> ReadError {
        self.is_still().err().unwrap_or_else(|| unreadable(place, error))
    }
}

/// A row as the commit of this place.
fn commit(place: Place, row: &SqliteRow) -> Result<Entry, ReadError> {
    let column = |error: sqlx::Error| place.damaged(format!("its row can not be read: {error}"));
    if row.try_get::<i64, _>("sequence").map_err(column)? != number(place.sequence) {
        return Err(place.damaged("it is missing"));
    }
    let bytes = Bytes::copy_from_slice(row.try_get("bytes").map_err(column)?);
    let prefix = Prefix::read(&bytes).ok_or_else(|| place.damaged("its bytes do not begin with a prefix"))?;
    if let Some(reason) = place.rejects(&prefix) {
        return Err(place.damaged(reason));
    }
    let commit = verify(place, prefix, bytes, None)?;
    if commit.hash.0[..] != *row.try_get::<&[u8], _>("hash").map_err(column)? {
        return Err(place.damaged("its bytes do not hash to its id"));
    }
    Ok(Entry::Commit(commit))
}

/// A failed query: the file is damaged, or can not be read for now.
fn unreadable(place: Place, error: sqlx::Error) -> ReadError {
    match super::result_code(&error) {
        // CORRUPT, NOTADB.
        Some(11 | 26) => place.damaged(format!("SQLite says: {error}")),
        _ => ReadError::Unavailable { doing: "reading commits from SQLite", source: error.into() },
    }
}
