//! The state file: everything the sandbox knows as JSON, written anew after changes, by one rename.

use std::io::{self, ErrorKind};
use std::path::Path;

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
        let json = self.look(|turn| {
            turn.store.saved_at = turn.now;
            serde_json::to_vec(turn.store).expect("the store is texts, numbers and lists")
        });
        replace(path, &json).map_err(|source| Error::StateFile { path: path.clone(), source })
    }
}

/// Whoever reads the file finds the old one or the new one, never half of one.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    std::fs::write(&new, bytes)?;
    std::fs::rename(new, path)
}
