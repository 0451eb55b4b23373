//! The version of the tables: what both stores check when they are opened.

use sqlx::migrate::{MigrateError, Migrator};

use crate::error::Error;

/// The version this program works with.
fn wanted(migrations: &Migrator) -> i64 {
    migrations.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// Compares the newest migration that was found with the newest there is.
pub(crate) fn check(
    place: String,
    migrations: &Migrator,
    found: Result<Option<i64>, sqlx::Error>,
) -> Result<(), Error> {
    let wanted = wanted(migrations);
    match found {
        Ok(None) => Err(Error::NotCreated { place }),
        Err(error) if no_such_table(&error) => Err(Error::NotCreated { place }),
        Err(error) => Err(Error::of("reading the version of the views", error)),
        Ok(Some(found)) if found < wanted => Err(Error::Older { place, found, wanted }),
        Ok(Some(found)) if found > wanted => Err(Error::Newer { place, found, wanted }),
        Ok(Some(_)) => Ok(()),
    }
}

/// A failed migration; tables of a newer program get their own sentence.
pub(crate) fn migration(place: String, migrations: &Migrator, source: MigrateError) -> Error {
    match source {
        MigrateError::VersionMissing(found) => Error::Newer { place, found, wanted: wanted(migrations) },
        source => Error::Migration { place, source },
    }
}

/// "undefined_table" in Postgres, a plain error in SQLite.
fn no_such_table(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    matches!(code.as_deref(), Some("42P01" | "1"))
}

/// An error and its causes in one line.
pub(crate) fn reason(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}
