//! `drip account`: open accounts, put money in, look at them.

use drip_client::{
    Account, AccountsQuery, Amount, Container, Error, Level, Lot, LotKind, MoneyIn, OpenAccount, Receipt,
    new_key,
};
use serde_json::{Map, Value};

use super::connect::ClientArgs;
use super::parse;
use crate::failure::{Exit, Failure};
use crate::output::{Output, text};

/// Open accounts, put money in, look at them.
#[derive(Debug, clap::Args)]
pub(crate) struct AccountArgs {
    #[command(flatten)]
    client: ClientArgs,
    #[command(subcommand)]
    verb: Verb,
}

/// Show one account as it is now: `drip account show`.
#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    client: ClientArgs,
    user: String,
    /// Show also what is left of which money, in the order in which it is spent.
    #[arg(long)]
    lots: bool,
}

impl ShowArgs {
    pub(crate) async fn run(self, output: Output) -> Result<Exit, Failure> {
        show(output, &self.client.client()?.account(&self.user, self.lots).await?)?;
        Ok(Exit::Done)
    }
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Show one account as it is now.
    Show {
        user: String,
        /// Show also what is left of which money, in the order in which it is spent.
        #[arg(long)]
        lots: bool,
    },
    /// List accounts by user id, from the views.
    List(List),
    /// Open an account. One that is there already stays as it is.
    Open(Open),
    /// Give money: a promotion, a start balance.
    Grant(Money),
    /// Record money that was paid.
    Deposit(Money),
    /// Close an account: it keeps its balance and refuses debits.
    Close {
        user: String,
        /// The idempotency key [default: a new one].
        #[arg(long)]
        key: Option<String>,
    },
}

#[derive(Debug, clap::Args)]
struct List {
    /// How many at most.
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// List all of them.
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Only those at this level.
    #[arg(long, value_enum)]
    level: Option<LevelArg>,
    /// Wait until the views have seen this position.
    #[arg(long, value_name = "POSITION")]
    wait_for: Option<String>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum LevelArg {
    Healthy,
    Low,
    Exhausted,
}

#[derive(Debug, clap::Args)]
struct Open {
    user: String,
    /// Where the user is written to.
    #[arg(long)]
    email: Option<String>,
    /// Your own data.
    #[arg(long, value_name = "JSON", value_parser = parse::metadata)]
    metadata: Option<Map<String, Value>>,
    /// Grant this much at once, in USDC.
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
    initial_balance: Option<Amount>,
}

#[derive(Debug, clap::Args)]
struct Money {
    user: String,
    /// How much, in USDC: 0.5
    #[arg(allow_negative_numbers = true)]
    amount: Amount,
    /// The idempotency key: the same payment must always come with the same one [default: a new one, shown].
    #[arg(long)]
    key: Option<String>,
    /// Your own data.
    #[arg(long, value_name = "JSON", value_parser = parse::metadata)]
    metadata: Option<Map<String, Value>>,
}

impl AccountArgs {
    pub(crate) async fn run(self, output: Output) -> Result<Exit, Failure> {
        let client = self.client.client()?;
        match self.verb {
            Verb::Show { user, lots } => show(output, &client.account(&user, lots).await?)?,
            Verb::List(list) => list.run(output, &client).await?,
            Verb::Open(open) => show(output, &client.open(&open.into()).await?)?,
            Verb::Grant(money) => {
                let money_in = money.money_in();
                let granted = client.grant(&money.user, &money_in).await;
                let receipt = granted.map_err(of_write(money_in.key.as_deref()))?;
                show_receipt(output, "granted", &receipt)?;
            }
            Verb::Deposit(money) => {
                let money_in = money.money_in();
                let deposited = client.deposit(&money.user, &money_in).await;
                let receipt = deposited.map_err(of_write(money_in.key.as_deref()))?;
                show_receipt(output, "deposited", &receipt)?;
            }
            Verb::Close { user, key } => {
                let key = key.unwrap_or_else(new_key);
                let closed = client.close_with_key(&user, &key).await;
                let account = closed.map_err(of_write(Some(&key)))?;
                if account.changed == Some(false) {
                    anstream::eprintln!("the account was closed already: nothing changed");
                }
                show(output, &account)?;
            }
        }
        Ok(Exit::Done)
    }
}

impl List {
    /// Page by page, so that a long list needs no memory.
    async fn run(self, output: Output, client: &drip_client::Client) -> Result<(), Failure> {
        let mut left = if self.all { u32::MAX } else { self.limit };
        let (level, wait_for) = (self.level.map(Into::into), self.wait_for);
        let mut query = AccountsQuery { level, wait_for, ..AccountsQuery::default() };
        loop {
            query.limit = Some(left.min(200));
            let page = client.accounts(&query).await?;
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

impl From<LevelArg> for Level {
    fn from(level: LevelArg) -> Self {
        match level {
            LevelArg::Healthy => Self::Healthy,
            LevelArg::Low => Self::Low,
            LevelArg::Exhausted => Self::Exhausted,
        }
    }
}

impl From<Open> for OpenAccount {
    fn from(open: Open) -> Self {
        let Open { user, email, metadata, initial_balance } = open;
        Self { user_id: user, email, metadata, initial_balance, container: None, key: None }
    }
}

impl Money {
    fn money_in(&self) -> MoneyIn {
        let key = self.key.clone().unwrap_or_else(new_key);
        MoneyIn { amount: self.amount, key: Some(key), metadata: self.metadata.clone() }
    }
}

/// A write's failure tells the key it was sent with.
pub(crate) fn of_write(key: Option<&str>) -> impl FnOnce(Error) -> Failure {
    move |error| match key {
        Some(key) => Failure::of_write(error, key),
        None => error.into(),
    }
}

/// Shows an account, and whether it was opened now.
pub(crate) fn show(output: Output, account: &Account) -> Result<(), Failure> {
    match account.created {
        Some(true) => anstream::eprintln!("the account was opened"),
        Some(false) => anstream::eprintln!("the account was there already: nothing changed"),
        None => {}
    }
    output.object(account, pairs)?;
    match &account.lots {
        Some(lots) if !output.json => {
            output.list(lots, [">lot", "kind", ">left", ">priority", "position"], lot)
        }
        _ => Ok(()),
    }
}

fn pairs(account: &Account) -> Vec<(&'static str, String)> {
    let mut pairs = vec![
        ("user", account.user_id.clone()),
        ("balance", format!("{} USDC", account.balance)),
        ("available", format!("{} USDC", account.available)),
        ("baseline", format!("{} USDC", account.baseline)),
        ("level", account.level.to_string()),
        ("status", account.status.clone()),
        ("position", account.position.clone()),
    ];
    pairs.extend(account.container.as_ref().map(|container| ("container", stands(container))));
    pairs.extend(account.email.clone().map(|email| ("email", email)));
    pairs.extend(account.metadata.clone().map(|metadata| ("metadata", Value::Object(metadata).to_string())));
    pairs.extend(account.opened_at.map(|at| ("opened", at.to_rfc3339())));
    pairs
}

/// How a container stands, what is under way, and where it answers.
fn stands(container: &Container) -> String {
    let mut text = container.phase.to_string();
    if let Some(operation) = &container.operation {
        text += &format!(", {operation} under way");
    }
    if container.attempts > 0 {
        text += &format!(", failed {} times", container.attempts);
    }
    if let Some(at) = container.retry_at {
        text += &format!(", again at {}", at.to_rfc3339());
    }
    if let Some(url) = &container.url {
        text += &format!(", {url}");
    }
    text
}

fn lot(lot: &Lot) -> [String; 5] {
    let kind = match lot.kind {
        LotKind::Paid => "paid",
        LotKind::Promo => "promo",
    };
    [lot.lot.to_string(), kind.into(), lot.left.to_string(), lot.priority.to_string(), lot.position.clone()]
}

fn table(output: Output, accounts: &[Account]) -> Result<(), Failure> {
    let header = ["user", ">balance", ">baseline", "level", "status", "email"];
    output.list(accounts, header, |account| {
        [
            account.user_id.clone(),
            account.balance.to_string(),
            account.baseline.to_string(),
            account.level.to_string(),
            account.status.clone(),
            text(account.email.as_ref()),
        ]
    })
}

/// Shows what a debit, deposit or grant did.
pub(crate) fn show_receipt(output: Output, verb: &'static str, receipt: &Receipt) -> Result<(), Failure> {
    if receipt.duplicate {
        anstream::eprintln!("it had happened before, under this key: nothing changed");
    }
    output.object(receipt, |receipt| {
        let mut pairs = vec![
            ("user", receipt.user_id.clone()),
            (verb, format!("{} USDC", receipt.amount)),
            ("balance", format!("{} USDC", receipt.balance)),
            ("level", receipt.level.to_string()),
        ];
        pairs.extend(receipt.fee.map(|fee| ("fee", format!("{fee} USDC"))));
        pairs.extend(receipt.meter.clone().map(|meter| ("meter", meter)));
        pairs.extend(receipt.position.clone().map(|position| ("position", position)));
        pairs.extend(receipt.key.clone().map(|key| ("key", key)));
        pairs
    })
}
