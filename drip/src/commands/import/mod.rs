//! `drip import-usage`: meters a CSV file into a running Drip, each row once, however often it is run.
//!
//! In reading order: `sheet` reads the file, `outline` watches the length of its rows, `time` its moments, `layout` makes a debit of a row, `batches` cuts the
//! file, `send` hands in one batch with patience, `progress` shows it, `summary` says what came of it, `declined`
//! writes the rows that could not be paid.

mod batches;
mod declined;
mod layout;
mod outline;
mod progress;
mod send;
mod sheet;
mod summary;
mod time;

use std::fs::File;
use std::num::NonZeroU64;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use drip_client::{Amount, Client};
use ledger_core::charge::UnitPrice;
use ledger_core::{Meter, SourceName};
use tokio::sync::mpsc;

use self::batches::{Batch, Batches, LastLine};
use self::declined::Target;
use self::layout::{Columns, Layout, Payer, Price};
use self::progress::Progress;
use self::send::Sender;
use self::sheet::Sheet;
use self::summary::Summary;
use super::connect::ClientArgs;
use super::parse;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Charge for the rows of a CSV file, each once: run it again after a crash, or when the file has grown.
///
/// The file is a source, known by its name: rows that are done with are skipped, another file under the same name is
/// refused. Each row costs the sum of its quantities times their prices, exact.
#[derive(Debug, clap::Args)]
pub(crate) struct ImportArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// The CSV file. Its first line names the columns.
    file: PathBuf,
    /// A column of quantities and the price of one, in USDC: ContextTokens=0.0000025. Up to 16.
    #[arg(long = "price", required = true, value_name = "COLUMN=PRICE", value_parser = price)]
    prices: Vec<Price>,
    /// The column with the user who pays.
    #[arg(
        long,
        value_name = "COLUMN",
        required_unless_present = "spread_users",
        conflicts_with = "spread_users"
    )]
    user_column: Option<String>,
    /// Spread the rows over so many users: row i, from 0, is paid by user-<i mod N>.
    #[arg(long, value_name = "N")]
    spread_users: Option<NonZeroU64>,
    /// How the names of these users begin.
    #[arg(long, value_name = "TEXT", default_value = "user-", conflicts_with = "user_column")]
    user_prefix: String,
    /// The column with the moment of the usage: RFC 3339, YYYY-MM-DD HH:MM:SS[.fraction] (UTC), or seconds since 1970.
    #[arg(long, value_name = "COLUMN")]
    time_column: Option<String>,
    /// The column with the scope: where in your product the usage happened. It may be empty.
    #[arg(long, value_name = "COLUMN")]
    scope_column: Option<String>,
    /// Open users that are missing with this grant, in USDC.
    #[arg(long, value_name = "AMOUNT")]
    grant: Option<Amount>,
    /// What was metered [default: the file's name without its ending].
    #[arg(long)]
    meter: Option<Meter>,
    /// The name the file is known by [default: its file name].
    #[arg(long, value_name = "NAME")]
    source: Option<SourceName>,
    /// Write the rows that could not be paid to this CSV file.
    #[arg(long, value_name = "FILE")]
    declined: Option<PathBuf>,
    /// What becomes of a last line without a line end: take it as complete, or hold it back for the next run because
    /// the file is still being written.
    #[arg(long, value_name = "WHAT", value_enum, default_value = "take")]
    last_line: LastLine,
    /// How many rows are sent at once.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=5000))]
    batch: u64,
    /// What stands between the fields; \t for a tab.
    #[arg(long, value_name = "CHARACTER", default_value = ",", value_parser = delimiter)]
    delimiter: u8,
    /// How long to go on trying when Drip does not answer: 60s, 2m.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse::duration)]
    patience: Duration,
    /// Show all bad lines, not only the first 20.
    #[arg(long)]
    verbose: bool,
}

/// A file that was looked at: everything is known to begin.
struct Import {
    client: Client,
    source: SourceName,
    summary: Summary,
    began: Instant,
}

impl ImportArgs {
    pub(crate) async fn run(self, output: Output) -> Result<Exit, Failure> {
        let source = self.source()?;
        self.check_declined()?;
        let batches = Batches::new(self.sheet()?, self.layout()?, self.batch, self.last_line);
        let mut progress = Progress::new(&self.file, self.verbose);
        let client = self.client.client()?;
        // Before anything is charged.
        let declined = self.declined.as_deref().map(Target::create).transpose()?;
        let summary = Summary::new(source.to_string());
        let mut import = Import { client, source, summary, began: Instant::now() };
        import.send_all(&self, read_ahead(batches), &mut progress).await?;
        progress.finish();
        let status = send::settled(&import, self.patience).await?;
        import.summary.end(&status, import.began.elapsed());
        if import.summary.declined() > 0 {
            declined::tell(&import.client, &import.source, self.grant.is_some()).await?;
        }
        let written = match declined {
            Some(target) => target.write(&import.client, &import.source, &self).await,
            None => Ok(()),
        };
        // What was charged is told, whatever became of the list.
        import.summary.show(output)?;
        written.map_err(|failure| {
            failure.try_this("All rows are done with. Run it again for --declined alone.")
        })?;
        Ok(if import.summary.bad > 0 { Exit::BadLines } else { Exit::Done })
    }

    fn sheet(&self) -> Result<Sheet<File>, Failure> {
        let shown = self.file.display();
        let file = File::open(&self.file)
            .map_err(|error| Failure::new(Exit::Failed, format!("can not open {shown}")).because(&error))?;
        Sheet::open(file, self.delimiter).map_err(|error| self.unreadable(&error))
    }

    fn check_declined(&self) -> Result<(), Failure> {
        match &self.declined {
            Some(target)
                if [target, &declined::aside(target)].into_iter().any(|path| same_file(&self.file, path)) =>
            {
                Err(Failure::new(Exit::Usage, "--declined would overwrite the imported file"))
            }
            _ => Ok(()),
        }
    }

    fn about_unended(&self, line: u64) -> String {
        match self.last_line {
            LastLine::Take => format!(
                "the last line ({line}) has no line end; it was taken as complete: if the file is still being \
                 written, end it with --last-line hold"
            ),
            LastLine::Hold => format!(
                "the last line ({line}) has no line end; it was held back: the next run looks at it again"
            ),
        }
    }

    fn unreadable(&self, error: &csv::Error) -> Failure {
        Failure::new(Exit::Failed, format!("can not read {}", self.file.display())).because(error)
    }

    fn layout(&self) -> Result<Layout, Failure> {
        let columns = self.columns()?;
        Layout::new(columns, self.sheet()?.header()).map_err(|reason| {
            Failure::new(Exit::Usage, format!("{} does not fit: {reason}", self.file.display()))
                .try_this("Nothing was sent. Name the columns as the first line does, and check --delimiter.")
        })
    }

    fn columns(&self) -> Result<Columns, Failure> {
        let names: std::collections::BTreeSet<_> = self.prices.iter().map(|price| &price.column).collect();
        if names.len() < self.prices.len() || names.len() > ledger_core::charge::ITEMS_MAX {
            return Err(Failure::new(Exit::Usage, "--price takes 1 to 16 columns, each once"));
        }
        let payer = match (&self.user_column, self.spread_users) {
            (Some(column), _) => Payer::Column(column.clone()),
            (None, Some(users)) => Payer::Spread { users: users.get(), prefix: self.user_prefix.clone() },
            (None, None) => {
                return Err(Failure::new(Exit::Usage, "--user-column or --spread-users is needed"));
            }
        };
        let (prices, meter) = (self.prices.clone(), self.meter()?);
        Ok(Columns { prices, payer, time: self.time_column.clone(), scope: self.scope_column.clone(), meter })
    }

    fn source(&self) -> Result<SourceName, Failure> {
        let of_file = || named(self.file.file_name(), SourceName::new, "--source");
        self.source.clone().map_or_else(of_file, Ok)
    }

    fn meter(&self) -> Result<Meter, Failure> {
        let of_file = || named(self.file.file_stem(), Meter::new, "--meter");
        self.meter.clone().map_or_else(of_file, Ok)
    }
}

impl Import {
    async fn send_all(
        &mut self,
        args: &ImportArgs,
        mut batches: mpsc::Receiver<Result<Batch, csv::Error>>,
        progress: &mut Progress,
    ) -> Result<(), Failure> {
        let mut sender = Sender::new(self.client.clone(), self.source.to_string(), args.grant, args.patience);
        while let Some(batch) = batches.recv().await {
            let batch = batch.map_err(|error| {
                let done = format!(
                    "The {} rows before it are done with, nothing after them was sent. Mend it and run the same \
                     command again.",
                    self.summary.rows
                );
                args.unreadable(&error).try_this(done)
            })?;
            progress.bad_lines(&batch.bad);
            self.summary.read(&batch);
            let (position, unended) = (batch.position, batch.unended);
            let answer = sender.send(batch, progress).await?;
            self.summary.answered(&answer);
            progress.advance(position, self.summary.rows);
            if let Some(line) = unended {
                progress.say(&args.about_unended(line));
            }
        }
        Ok(())
    }
}

/// Reads the next batch while one is under way: on a thread of its own, at most one ahead.
fn read_ahead(mut batches: Batches<File>) -> mpsc::Receiver<Result<Batch, csv::Error>> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::task::spawn_blocking(move || {
        while let Some(batch) = batches.read().transpose() {
            let failed = batch.is_err();
            if sender.blocking_send(batch).is_err() || failed {
                return;
            }
        }
    });
    receiver
}

/// The name that a part of the file's name makes.
fn named<T, E: std::fmt::Display>(
    text: Option<&std::ffi::OsStr>,
    new: impl Fn(&str) -> Result<T, E>,
    flag: &str,
) -> Result<T, Failure> {
    let text = text.unwrap_or_default().to_string_lossy();
    new(&text).map_err(|error| {
        Failure::new(Exit::Usage, format!("the file's name can not be used: {error}"))
            .try_this(format!("Give one with {flag}."))
    })
}

/// `COLUMN=PRICE`.
fn price(text: &str) -> Result<Price, String> {
    let (column, price) =
        text.rsplit_once('=').ok_or("must be COLUMN=PRICE, such as ContextTokens=0.0000025")?;
    ledger_core::Label::new(column).map_err(|error| error.to_string())?;
    let unit_price = UnitPrice::parse(price).map_err(|error| format!("the price \"{price}\" {error}"))?;
    Ok(Price { column: column.to_owned(), unit_price })
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        [byte] if *byte != b'"' && *byte != b'\n' => Ok(*byte),
        b"\\t" => Ok(b'\t'),
        _ => Err("must be one character, such as ; or \\t".to_owned()),
    }
}

/// Whether two paths lead to one file.
fn same_file(one: &Path, other: &Path) -> bool {
    // By inode, for a file can have two names.
    let identity = |path: &Path| path.metadata().map(|file| (file.dev(), file.ino()));
    matches!((identity(one), identity(other)), (Ok(one), Ok(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn prices_name_their_column() {
        let read = price("a=b=0.0000025").unwrap();
        assert_eq!((read.column.as_str(), read.unit_price.to_string().as_str()), ("a=b", "0.0000025"));
        for text in ["a", "=1", "a=", "a=-1", "a=1e3", "a=0.0000000000001", "a=1000001"] {
            assert!(price(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_declined_rows_never_overwrite_the_input() {
        let dir = std::env::temp_dir().join(format!("drip-import-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&dir).unwrap();
        let (file, link, other) = (dir.join("x.csv.part"), dir.join("link.csv"), dir.join("other.csv"));
        std::fs::write(&file, "a\n").unwrap();
        std::fs::hard_link(&file, &link).unwrap();
        for (declined, refused) in [(&file, true), (&dir.join("x.csv"), true), (&link, true), (&other, false)]
        {
            let words = ["drip", "import-usage", "--price", "a=1", "--spread-users", "1", "--declined"];
            let paths = [declined, &file].map(|path| path.to_str().unwrap());
            let cli = crate::Cli::try_parse_from(words.into_iter().chain(paths)).unwrap();
            let crate::Command::ImportUsage(args) = cli.command else { panic!("another command") };
            assert_eq!(args.check_declined().is_err(), refused, "{}", declined.display());
        }
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn delimiters_are_one_character() {
        assert_eq!((delimiter(";"), delimiter("\\t"), delimiter("\t")), (Ok(b';'), Ok(b'\t'), Ok(b'\t')));
        for text in ["", ",,", "é", "\"", "\n"] {
            assert!(delimiter(text).is_err(), "{text}");
        }
    }
}
