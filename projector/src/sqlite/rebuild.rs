//! A rebuild beside the views of a data folder: a second file, and the right to fold into it.

use std::fs::File;
use std::path::{Path, PathBuf};

use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _};

use super::{FILE, SqliteViews, unopened, unusable, writing};
use crate::error::Error;
use crate::rebuild::{HeldViews, drop_indexes};

/// Where a rebuild folds to.
const NEXT_FILE: &str = "views.next.db";

/// A rebuild of the views of a data folder.
pub(crate) struct SqliteRebuild {
    pub(crate) live: SqliteViews,
    pub(crate) next: SqliteViews,
    dir: PathBuf,
    /// Locked, and let go by the system when the process is gone.
    _right: File,
}

impl SqliteRebuild {
    pub(crate) async fn begin(dir: &Path, restart: bool) -> Result<Self, Error> {
        let live = SqliteViews::open(dir).await?;
        let lock = dir.join("views.next.lock");
        let right = File::create(&lock).map_err(|error| unusable(&lock, &error))?;
        right.try_lock().map_err(|_| Error::TwoRebuilds)?;
        let file = dir.join(NEXT_FILE);
        if restart {
            drop_file(&file)?;
        }
        let next = match Self::make(&file).await {
            // It holds nothing that can not be folded again.
            Err(Error::Refused { .. }) => {
                drop_file(&file)?;
                Self::make(&file).await?
            }
            made => made?,
        };
        let dropped = next.writer.execute(AssertSqlSafe(drop_indexes(""))).await;
        dropped.map_err(|source| Error::of("making tables beside the views", source))?;
        Ok(Self { live, next, dir: dir.to_owned(), _right: right })
    }

    async fn make(file: &Path) -> Result<SqliteViews, Error> {
        SqliteViews::create_file(file).await?;
        SqliteViews::open_file(file).await
    }

    pub(crate) async fn hold(&self) -> Result<HeldViews, Error> {
        let live = self.dir.join(FILE);
        let connection = writing(&live).connect().await.map_err(|error| unopened(&live, error))?;
        HeldViews::sqlite(connection, &self.dir.join(NEXT_FILE).to_string_lossy()).await
    }

    pub(crate) async fn finish(self) -> Result<(), Error> {
        self.next.close().await;
        drop_file(&self.dir.join(NEXT_FILE))
    }
}

fn drop_file(file: &Path) -> Result<(), Error> {
    SqliteViews::remove_file(file).map_err(|error| unusable(file, &error))
}
