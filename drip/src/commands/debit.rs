//! `drip debit`: charge for usage by hand.

use chrono::{DateTime, Utc};
use drip_client::{Amount, Debit, Item, new_key};
use serde_json::{Map, Value};

use super::account::{of_write, show_receipt};
use super::connect::ClientArgs;
use super::parse;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Charge an account for usage: an amount, or items of quantity and price.
#[derive(Debug, clap::Args)]
pub(crate) struct DebitArgs {
    #[command(flatten)]
    client: ClientArgs,
    user: String,
    /// How much, in USDC: 0.007
    #[arg(allow_negative_numbers = true, required_unless_present = "item", conflicts_with = "item")]
    amount: Option<Amount>,
    /// One line of the charge, up to 16 times; the exact sum is charged.
    #[arg(long, value_name = "NAME=QUANTITY@PRICE", value_parser = parse::item)]
    item: Vec<Item>,
    /// What was metered [default: usage].
    #[arg(long)]
    meter: Option<String>,
    /// Where in your product it happened: agent:planner/run:42
    #[arg(long)]
    scope: Option<String>,
    /// When it happened: 2026-11-23T10:00:00Z
    #[arg(long, value_name = "TIME")]
    occurred_at: Option<DateTime<Utc>>,
    /// Your own data.
    #[arg(long, value_name = "JSON", value_parser = parse::metadata)]
    metadata: Option<Map<String, Value>>,
    /// The idempotency key [default: a new one, shown].
    #[arg(long)]
    key: Option<String>,
    /// Only tell what would happen.
    #[arg(long)]
    dry_run: bool,
}

impl DebitArgs {
    pub(crate) async fn run(self, output: Output) -> Result<Exit, Failure> {
        let client = self.client.client()?;
        let (user, dry_run) = (self.user.clone(), self.dry_run);
        let debit = self.into_debit();
        if dry_run {
            show_receipt(output, "would charge", &client.debit_dry_run(&user, &debit).await?)?;
        } else {
            let debit = Debit { key: debit.key.or_else(|| Some(new_key())), ..debit };
            let charged = client.debit(&user, &debit).await;
            show_receipt(output, "charged", &charged.map_err(of_write(debit.key.as_deref()))?)?;
        }
        Ok(Exit::Done)
    }

    fn into_debit(self) -> Debit {
        let Self { amount, item: items, meter, scope, occurred_at, metadata, key, .. } = self;
        Debit { amount, items, meter, scope, occurred_at, metadata, key }
    }
}
