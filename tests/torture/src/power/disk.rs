//! A disk whose power can be cut: an ext4 file system in a file, mounted over a loop device.
//!
//! What was written and not synced lives in the cache of the mounted file system; only what it has written out stands
//! in the file. So a copy of the file, made while nobody writes, is what a disk holds after a power cut.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::world::until;

/// Reads until the test process is gone or lets go, then unmounts and removes everything.
const WATCHER: &str = r#"
while read -r _; do :; done
n=0; while mountpoint -q "$1/mount" && [ $n -lt 50 ]; do umount "$1/mount" || sleep 0.1; n=$((n+1)); done
mountpoint -q "$1/mount" && umount -l "$1/mount"
rm -rf "$1"
"#;

/// How large the file is at most. It has holes where nothing was written.
const SIZE: u64 = 512 << 20;

/// One disk, mounted. Dropping it unmounts and removes it.
pub(crate) struct Disk {
    folder: PathBuf,
    watcher: Child,
}

impl Disk {
    /// Why there can be none on this machine; nothing if there can.
    pub(crate) async fn missing() -> Option<String> {
        Self::new().await.err().map(|error| format!("{error:#}"))
    }

    /// An empty disk. Error: this needs root, loop devices and mkfs.ext4.
    pub(crate) async fn new() -> Result<Self> {
        let name = format!("drip-torture-disk-{}", uuid::Uuid::new_v4().simple());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(folder.join("mount"))?;
        let mut watcher = Command::new("sh");
        watcher.args(["-c", WATCHER, "sh"]).arg(&folder).current_dir("/");
        // Its own process group: what ends the test's group must not end the one who cleans up.
        watcher.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let disk = Self { folder, watcher: watcher.spawn()? };
        std::fs::File::create_new(disk.image())?.set_len(SIZE)?;
        run("mkfs.ext4", &[Path::new("-q"), Path::new("-F"), &disk.image()]).await?;
        disk.mount(&disk.image()).await?;
        Ok(disk)
    }

    /// Where it is mounted, before and after a cut.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join("mount")
    }

    /// What the disk holds if the power is cut now. Whoever writes to it must be stopped meanwhile.
    pub(crate) async fn freeze(&self) -> Result<()> {
        run("cp", &[Path::new("--sparse=always"), &self.image(), &self.frozen()]).await
    }

    /// From now on it holds what it held when it was frozen. Whoever had files open on it must be gone.
    pub(crate) async fn thaw(&self) -> Result<()> {
        // A killed process lets go of its files a moment after it is gone.
        let unmounted = until(Duration::from_secs(20), async || self.unmount().await.ok()).await;
        if unmounted.is_none() {
            self.unmount().await?;
        }
        std::fs::rename(self.frozen(), self.image())?;
        self.mount(&self.image()).await
    }

    async fn mount(&self, image: &Path) -> Result<()> {
        run("mount", &[Path::new("-o"), Path::new("loop"), image, &self.path()]).await
    }

    async fn unmount(&self) -> Result<()> {
        run("umount", &[&self.path()]).await
    }

    fn image(&self) -> PathBuf {
        self.folder.join("image")
    }

    fn frozen(&self) -> PathBuf {
        self.folder.join("frozen")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(self.watcher.stdin.take());
        // A failure here leaves a folder behind, which is not worth a panic inside a drop.
        let _ = self.watcher.wait();
    }
}

async fn run(program: &str, arguments: &[&Path]) -> Result<()> {
    let output = tokio::process::Command::new(program).args(arguments).stdin(Stdio::null()).output().await;
    let output = output.with_context(|| format!("there is no {program}"))?;
    if !output.status.success() {
        bail!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write as _;

    use super::*;

    /// The method itself: it must tell what was synced from what was not.
    #[tokio::test]
    async fn a_cut_keeps_what_was_synced_and_loses_what_was_not() {
        if let Some(reason) = Disk::missing().await {
            return super::super::skipped(&reason);
        }
        let disk = Disk::new().await.unwrap();
        let write = |name: &str| {
            let mut file = File::create_new(disk.path().join(name)).unwrap();
            file.write_all(b"acknowledged").unwrap();
            file
        };
        write("synced").sync_all().unwrap();
        File::open(disk.path()).unwrap().sync_all().unwrap();
        drop(write("not synced"));
        disk.freeze().await.unwrap();
        disk.thaw().await.unwrap();
        assert_eq!(std::fs::read(disk.path().join("synced")).unwrap(), b"acknowledged");
        assert!(std::fs::read(disk.path().join("not synced")).unwrap_or_default().is_empty());
        let path = disk.path();
        drop(disk);
        assert!(!path.exists());
    }
}
