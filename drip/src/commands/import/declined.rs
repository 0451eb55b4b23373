//! Writes the rows that could not be paid to a CSV file. What was declined is read back from the ledger, so that a
//! rerun writes the same.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use csv::Writer;
use drip_client::{Client, JournalRow};
use ledger_core::SourceName;

use super::ImportArgs;
use super::layout::Layout;
use super::sheet::{Record, Sheet};
use crate::failure::{Exit, Failure};

/// What the ledger answers to a row that costs nothing: told as free, not as declined.
const FREE: &str = "amount_not_positive";

/// How many declines are looked at for the reasons that are told.
const TOLD: u32 = 1000;

/// Tells why rows were declined, and the way out where it is known.
pub(super) async fn tell(client: &Client, source: &SourceName, granted: bool) -> Result<(), Failure> {
    let page = client.source_declines(source.as_str(), Some(TOLD), None).await?;
    let mut reasons = BTreeMap::<&str, usize>::new();
    for code in page.data.iter().filter_map(|row| row.code.as_deref()).filter(|code| *code != FREE) {
        *reasons.entry(code).or_default() += 1;
    }
    let told: Vec<_> = reasons.iter().map(|(code, count)| format!("{code} {count}")).collect();
    let of = if page.next_cursor.is_some() { format!(" (of the first {TOLD})") } else { String::new() };
    anstream::eprintln!("declined for good: {}{of}; --declined FILE writes the rows", told.join(", "));
    if reasons.contains_key("account_unknown") && !granted {
        anstream::eprintln!("  these users do not exist: --grant AMOUNT opens users that are missing");
    }
    Ok(())
}

/// Where the declined rows go: beside its place first, so that a file of this name is always whole. Gone when it does not
/// get there.
pub(super) struct Target {
    place: PathBuf,
    aside: PathBuf,
    file: File,
}

impl Target {
    /// Makes the file. Failure: it can not be, and nothing was sent yet.
    pub(super) fn create(place: &Path) -> Result<Self, Failure> {
        let refused = |error: &dyn std::fmt::Display| {
            unwritable(place, error)
                .try_this("Nothing was sent. Name a file that can be written by --declined.")
        };
        if place.is_dir() {
            return Err(refused(&"it is a folder"));
        }
        let aside = aside(place);
        let file = File::create(&aside).map_err(|error| refused(&error))?;
        Ok(Self { place: place.to_owned(), aside, file })
    }

    /// Runs through the imported file and the ledger's declines side by side: both are in order of number.
    pub(super) async fn write(
        self,
        client: &Client,
        source: &SourceName,
        args: &ImportArgs,
    ) -> Result<(), Failure> {
        let declines = Declines { client, source, page: VecDeque::new(), cursor: None, ended: false };
        let mut writer = Writer::from_writer(BufWriter::new(&self.file));
        join(args, args.sheet()?, declines, &mut writer).await?;
        writer.flush().map_err(|error| unwritable(&self.place, &error))?;
        std::fs::rename(&self.aside, &self.place).map_err(|error| unwritable(&self.place, &error))
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // It has its name by now, or nobody wants what it holds.
        std::fs::remove_file(&self.aside).ok();
    }
}

fn unwritable(place: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::Failed, format!("can not write {}", place.display())).because(error)
}

/// Where the file stands until it is whole.
pub(super) fn aside(target: &Path) -> PathBuf {
    let mut aside = target.as_os_str().to_owned();
    aside.push(".part");
    PathBuf::from(aside)
}

async fn join<W: Write>(
    args: &ImportArgs,
    mut sheet: Sheet<File>,
    mut declines: Declines<'_>,
    writer: &mut Writer<W>,
) -> Result<(), Failure> {
    let layout = args.layout()?;
    let columns = ["number", "line", "user_id", "code"].into_iter().map(str::to_owned);
    put(writer, columns.chain(sheet.header().iter().cloned()).map(String::into_bytes))?;
    while let Some((number, code)) = declines.next().await? {
        let record = loop {
            match sheet.read().map_err(|error| args.unreadable(&error))? {
                Some(record) if record.number < number => {}
                record => break record,
            }
        };
        match record {
            Some(record) if record.number == number => put_row(writer, &layout, &record, &code)?,
            _ => return Err(Failure::new(Exit::Failed, "the file changed while it was imported")),
        }
    }
    Ok(())
}

/// A row with nothing to pay is left out: nobody failed to pay it.
fn put_row<W: Write>(
    writer: &mut Writer<W>,
    layout: &Layout,
    record: &Record,
    code: &str,
) -> Result<(), Failure> {
    let Ok(row) = layout.row(record) else {
        return Err(Failure::new(Exit::Failed, "the file changed while it was imported"));
    };
    if row.free {
        return Ok(());
    }
    let own = [record.number.to_string(), record.line.to_string(), row.debit.user_id, code.to_owned()];
    let fields = (0..record.len()).filter_map(|at| record.bytes(at)).map(<[u8]>::to_vec);
    put(writer, own.into_iter().map(String::into_bytes).chain(fields))
}

fn put<W: Write>(writer: &mut Writer<W>, fields: impl Iterator<Item = Vec<u8>>) -> Result<(), Failure> {
    writer
        .write_record(fields)
        .map_err(|error| Failure::new(Exit::Failed, "can not write the declined rows").because(&error))
}

/// The numbers and codes of a source's declines, page by page.
struct Declines<'a> {
    client: &'a Client,
    source: &'a SourceName,
    page: VecDeque<JournalRow>,
    cursor: Option<String>,
    ended: bool,
}

impl Declines<'_> {
    async fn next(&mut self) -> Result<Option<(u64, String)>, Failure> {
        while self.page.is_empty() && !self.ended {
            let page =
                self.client.source_declines(self.source.as_str(), None, self.cursor.as_deref()).await?;
            self.page = page.data.into();
            self.cursor = page.next_cursor;
            self.ended = self.cursor.is_none();
        }
        let Some(row) = self.page.pop_front() else { return Ok(None) };
        let number =
            row.number.ok_or_else(|| Failure::new(Exit::Failed, "a decline of the source has no number"))?;
        Ok(Some((number, row.code.unwrap_or_default())))
    }
}
