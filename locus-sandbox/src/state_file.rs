//! The state file: everything the sandbox knows as JSON, written anew after changes, by one rename.
//!
//! An answer is sent when the file holds what it tells. So a process that dies forgets nothing that anybody was told of.
//! (A machine that dies may: nothing is flushed to the disk.)

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::PoisonError;

use crate::config::Config;
use crate::error::Error;
use crate::store::{Shared, Store};

/// What the file holds, or an empty store without one.
pub(crate) fn load(config: &Config) -> Result<Store, Error> {
    let Some(path) = &config.state_file else { return Ok(Store::new(config)) };
    match std::fs::read(path) {
        Ok(bytes) => {
            let state = serde_json::from_slice::<Store>(&bytes);
            let mut store = state.map_err(|source| Error::NotAState { path: path.clone(), source })?;
            let unanswered = std::mem::take(&mut store.under_way);
            store.outbox.extend(unanswered);
            Ok(store)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Store::new(config)),
        Err(source) => Err(Error::StateFile { path: path.clone(), source }),
    }
}

impl Shared {
    /// Writes the file, if there is to be one.
    pub(crate) fn save(&self) -> Result<(), Error> {
        let Some(path) = self.state_file() else { return Ok(()) };
        let _alone = self.saving.lock().unwrap_or_else(PoisonError::into_inner);
        let json = self.look(|turn| {
            turn.store.saved_at = turn.now;
            serde_json::to_vec(turn.store).expect("the store is texts, numbers and lists")
        });
        replace(path, &json).map_err(|source| Error::StateFile { path: path.clone(), source })
    }

    /// Saves after changes, for ever. What can not be saved is told, and nobody waits for it.
    pub(crate) async fn keep_state(&self) {
        let mut changes = self.changes();
        loop {
            let change = *changes.borrow_and_update();
            if let Err(error) = self.save() {
                tracing::error!(%error, "the state of the sandbox is not saved");
            }
            self.saved.send_replace(change);
            changes.changed().await.expect("we hold the other end");
        }
    }

    /// Waits until the file, if there is one, holds everything up to now.
    pub(crate) async fn until_saved(&self) {
        if self.state_file().is_some() {
            let change = *self.changes().borrow();
            let mut saved = self.saved.subscribe();
            saved.wait_for(|saved| *saved >= change).await.expect("we hold the other end");
        }
    }
}

/// Whoever reads the file finds the old one or the new one, never half of one.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    std::fs::write(&new, bytes)?;
    std::fs::rename(new, path)
}
