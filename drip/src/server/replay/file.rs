//! The file of `--to`: it gets its name when it is whole, and what stands beside its place until then goes.

use std::fs::File;
use std::path::{Path, PathBuf};

use projector::SqliteViews;

use super::failed;
use crate::failure::{Exit, Failure};

/// A file in the making. Dropped, it leaves nothing behind but the whole file, if there is one.
pub(super) struct NewFile<'a> {
    place: &'a Path,
    part: PathBuf,
}

impl<'a> NewFile<'a> {
    /// Begins one, empty. Failure: it can not be made, or stands there already.
    pub(super) async fn create(place: &'a Path) -> Result<(Self, SqliteViews), Failure> {
        if place.exists() {
            let what = format!("{} is there already", place.display());
            return Err(
                Failure::new(Exit::Usage, what).try_this("Choose another name for --to, or remove it.")
            );
        }
        let mut part = place.as_os_str().to_owned();
        part.push(".part");
        let file = Self { place, part: part.into() };
        file.begin().map_err(|error| {
            Failure::new(Exit::Usage, format!("can not make {}", place.display()))
                .because(&error)
                .try_this("--to names a new file, in a folder that is there and can be written.")
        })?;
        SqliteViews::create_file(&file.part).await.map_err(failed)?;
        let views = SqliteViews::open_file(&file.part).await.map_err(failed)?;
        Ok((file, views))
    }

    /// What a process left that was killed may be of another log.
    fn begin(&self) -> std::io::Result<()> {
        SqliteViews::remove_file(&self.part)?;
        File::create(&self.part).map(drop)
    }

    /// Gives it its name. The views are sealed first: what still stood in a file beside it would be lost.
    pub(super) async fn finish(self, views: SqliteViews) -> Result<(), Failure> {
        views.seal().await.map_err(failed)?;
        std::fs::rename(&self.part, self.place).map_err(|error| {
            Failure::new(Exit::Failed, format!("can not make {}", self.place.display())).because(&error)
        })
    }
}

impl Drop for NewFile<'_> {
    fn drop(&mut self) {
        // Nobody is left to be told, and the next run tries it again.
        SqliteViews::remove_file(&self.part).ok();
    }
}
