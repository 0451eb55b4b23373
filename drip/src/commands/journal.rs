//! `drip journal`: what happened to an account.

use chrono::SecondsFormat;
use drip_client::{Client, JournalQuery, JournalRow, Order};

use super::connect::ClientArgs;
use crate::failure::{Exit, Failure};
use crate::output::{Output, text};

/// Show what happened to an account, newest first.
#[derive(Debug, clap::Args)]
pub(crate) struct JournalArgs {
    #[command(flatten)]
    client: ClientArgs,
    user: String,
    /// How many rows at most.
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Show all of them.
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Newest first or oldest first.
    #[arg(long, value_enum, default_value = "desc")]
    order: OrderArg,
    /// Only rows of this kind: debited, declined, deposited, granted, opened, crossed, closed.
    #[arg(long)]
    kind: Option<String>,
    /// Only usage of this meter.
    #[arg(long)]
    meter: Option<String>,
    /// Only the debit with this key.
    #[arg(long, conflicts_with_all = ["kind", "meter", "limit", "all", "order", "wait_for"])]
    key: Option<String>,
    /// Wait until the views have seen this position.
    #[arg(long, value_name = "POSITION")]
    wait_for: Option<String>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum OrderArg {
    Asc,
    Desc,
}

impl JournalArgs {
    pub(crate) async fn run(self, output: Output) -> Result<Exit, Failure> {
        let client = self.client.client()?;
        match &self.key {
            Some(key) => table(output, &client.debit_by_key(&self.user, key).await?)?,
            None => self.pages(output, &client).await?,
        }
        Ok(Exit::Done)
    }

    /// Page by page, so that a long history needs no memory.
    async fn pages(self, output: Output, client: &Client) -> Result<(), Failure> {
        let mut left = if self.all { u32::MAX } else { self.limit };
        let order = Some(match self.order {
            OrderArg::Asc => Order::Asc,
            OrderArg::Desc => Order::Desc,
        });
        let Self { user, kind, meter, wait_for, .. } = self;
        let mut query = JournalQuery { order, kind, meter, wait_for, ..JournalQuery::default() };
        loop {
            query.limit = Some(left.min(200));
            let page = client.journal(&user, &query).await?;
            table(output, &page.data)?;
            left = left.saturating_sub(u32::try_from(page.data.len()).unwrap_or(u32::MAX));
            match page.next_cursor {
                Some(cursor) if left > 0 => query.cursor = Some(cursor),
                Some(_) => {
                    anstream::eprintln!("there are more: raise --limit, or use --all");
                    return Ok(());
                }
                None => return Ok(()),
            }
        }
    }
}

fn table(output: Output, rows: &[JournalRow]) -> Result<(), Failure> {
    let header = ["recorded", "kind", ">amount", ">balance", "level", "meter", "position", "about"];
    output.list(rows, header, |row| {
        [
            row.recorded_at.to_rfc3339_opts(SecondsFormat::Millis, true),
            row.kind.clone(),
            text(row.amount.as_ref()),
            row.balance.to_string(),
            text(row.level.as_ref()),
            text(row.meter.as_ref()),
            row.position.clone(),
            about(row),
        ]
    })
}

/// What else is worth a glance: why it was declined, which line was crossed, where it came from.
fn about(row: &JournalRow) -> String {
    let item = row.source.as_ref().map(|source| format!("{source} #{}", text(row.number.as_ref())));
    let parts = [row.code.clone(), row.line.clone(), item, row.scope.clone(), row.key.clone()];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}
