//! Snapshots on the disk, beside the data of whoever writes a log: `FOLDER/<log>/<partition>/<commit>/`.
//!
//! Each is a folder that is whole in itself: `state`, and `keys-<hash>` for each closed generation of keys. A generation
//! never changes, so it is written once and linked into the next snapshots. A folder gets its name when all in it is
//! on the disk; the newest two are kept. A snapshot is a cache: one that can not be used is told of and passed over, and
//! without any the log is replayed.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use ledger_core::commit::Hash;
use ledger_core::snapshot::SnapshotError;
use ledger_core::{Chain, Ledger, LogId, PartitionId, Snapshot};

/// How many are kept: when the state of the newest is damaged, the one before saves the replay. A damaged generation of
/// keys, which both hold as one file, costs both.
const KEPT: usize = 2;
/// The name of the state in a snapshot's folder.
const STATE: &str = "state";
/// Between the name of a folder that is not whole yet and the process that writes it.
const PART: &str = ".part-";

/// Where snapshots are kept, and how often they are taken.
#[derive(Debug, Clone)]
pub struct SnapshotConfig {
    /// The folder of all snapshots. Made when it is missing.
    pub folder: PathBuf,
    /// The fewest bytes of commits between two snapshots of a partition.
    pub after: u64,
}

/// The state that a snapshot held.
pub(crate) struct Restored {
    /// Where it stands, and what it is.
    pub(crate) state: (Chain, Ledger),
    /// How many bytes it had, without the keys.
    pub(crate) size: usize,
}

/// The snapshots of one partition.
#[derive(Debug)]
pub(crate) struct Snapshots {
    folder: PathBuf,
    log: LogId,
    partition: PartitionId,
    /// The one that was written or checked by this process: only from it are generations linked, so that damage is
    /// not handed on.
    trusted: Option<PathBuf>,
}

/// Why a snapshot is passed over.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("it can not be read: {0}")]
    Read(#[from] io::Error),
    #[error(transparent)]
    Bytes(#[from] SnapshotError),
    #[error("it is one of another log or partition")]
    Elsewhere,
}

impl Snapshots {
    pub(crate) fn new(folder: &Path, log: LogId, partition: PartitionId) -> Self {
        let folder = folder.join(log.to_string()).join(format!("{:02}", partition.0));
        Self { folder, log, partition, trusted: None }
    }

    /// The newest snapshot that can be used.
    pub(crate) fn restore(&mut self) -> Option<Restored> {
        self.whole().into_iter().find_map(|folder| match self.read(&folder) {
            Ok(restored) => {
                self.trusted = Some(folder);
                Some(restored)
            }
            Err(reason) => {
                let folder = folder.display();
                tracing::warn!(partition = %self.partition, %folder, "a snapshot is passed over: {reason}");
                None
            }
        })
    }

    /// Writes a snapshot so that it is whole or not there, and drops all but the newest. Error: the disk's.
    pub(crate) fn save(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        make_folder(&self.folder)?;
        self.drop_unfinished()?;
        let name = name(snapshot.chain.sequence);
        let whole = self.folder.join(&name);
        let part = self.folder.join(format!("{name}{PART}{}", std::process::id()));
        make_folder(&part)?;
        // Where there is no room, what was begun must not take the last of it from the log.
        self.fill(&part, snapshot).inspect_err(|_| drop(remove(&part)))?;
        // One of this name that was passed over at the start.
        remove(&whole)?;
        fs::rename(&part, &whole)?;
        File::open(&self.folder)?.sync_all()?;
        self.trusted = Some(whole);
        self.drop_old()
    }

    fn fill(&self, part: &Path, snapshot: &Snapshot) -> io::Result<()> {
        for (hash, generation) in snapshot.generations() {
            let file = keys_file(hash);
            let linked = self.trusted.as_ref().map(|from| fs::hard_link(from.join(&file), part.join(&file)));
            if linked.is_none_or(|linked| linked.is_err()) {
                write(&part.join(&file), &generation.to_bytes())?;
            }
        }
        write(&part.join(STATE), &snapshot.to_bytes())?;
        File::open(part)?.sync_all()
    }

    fn read(&self, folder: &Path) -> Result<Restored, Unusable> {
        let bytes = fs::read(folder.join(STATE))?;
        let generation = |hash| fs::read(folder.join(keys_file(hash))).ok().map(Bytes::from);
        let (chain, ledger) = Snapshot::restore(&bytes, generation)?;
        if chain.log != Some(self.log) || chain.partition != self.partition {
            return Err(Unusable::Elsewhere);
        }
        Ok(Restored { state: (chain, ledger), size: bytes.len() })
    }

    /// The folders of whole snapshots, the newest first. What can not be listed is as good as not there.
    fn whole(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let is_whole =
            |name: &str| name.len() == NAME_LENGTH && name.bytes().all(|byte| byte.is_ascii_digit());
        let mut whole: Vec<_> = entries
            .filter(|entry| entry.file_name().to_str().is_some_and(is_whole))
            .map(|entry| entry.path())
            .collect();
        whole.sort_unstable_by(|a, b| b.cmp(a));
        whole
    }

    fn drop_old(&self) -> io::Result<()> {
        self.whole().into_iter().skip(KEPT).try_for_each(|old| remove(&old))
    }

    /// What a process that was killed had not finished: its room is needed.
    fn drop_unfinished(&self) -> io::Result<()> {
        let unfinished = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().contains(PART);
        let entries = fs::read_dir(&self.folder)?.flatten();
        entries.filter(unfinished).try_for_each(|entry| remove(&entry.path()))
    }
}

const NAME_LENGTH: usize = 20;

/// The names sort as the commits do.
fn name(sequence: u64) -> String {
    format!("{sequence:0NAME_LENGTH$}")
}

fn keys_file(hash: Hash) -> String {
    format!("keys-{hash}")
}

/// Its owner's alone: the state names all accounts.
fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A folder and all in it, if it is there.
fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests;
