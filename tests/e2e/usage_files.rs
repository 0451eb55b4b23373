//! Files of usage, their import, and what must come of it by `exact_sums.py`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::ask::{Said, credits, said};
use crate::audit::Ledger;
use crate::stack::Drip;

pub(crate) const USERS: u32 = 200;
const PRICES: [&str; 2] = ["ContextTokens=0.0000025", "GeneratedTokens=0.00001"];

/// The trace of real calls where there is one, its excerpt of 2,000 rows in `examples/` otherwise. The environment
/// variable `DRIP_TRACE` names another file with the same columns.
pub(crate) fn trace() -> PathBuf {
    if let Some(file) = std::env::var_os("DRIP_TRACE") {
        return file.into();
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let whole = root.join("../shared/data/azure-llm-code-2023.csv");
    if whole.exists() { whole } else { root.join("examples/llm-calls.csv") }
}

/// How many rows there are below a file's head.
pub(crate) fn rows_of(file: &Path) -> usize {
    fs::read_to_string(file).expect("the file can be read").lines().count() - 1
}

/// A file of the trace's first rows, all when there are fewer, in the folder of this Drip.
pub(crate) fn excerpt(drip: &Drip, name: &str, rows: usize) -> PathBuf {
    let text = fs::read_to_string(trace()).expect("the trace can be read");
    let lines: Vec<&str> = text.lines().take(rows + 1).collect();
    write(drip, name, &(lines.join("\n") + "\n"))
}

/// A file in the folder of this Drip.
pub(crate) fn write(drip: &Drip, name: &str, text: &str) -> PathBuf {
    let file = drip.folder().join(name);
    fs::write(&file, text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    file
}

/// The command line that imports a file like the trace.
pub(crate) fn import(drip: &Drip, file: &Path, grant: &str, more: &[&str]) -> Command {
    let mut command = drip.command(&["import-usage"]);
    command.arg(file).args(["--app", "demo", "--time-column", "TIMESTAMP"]);
    PRICES.iter().for_each(|price| {
        command.args(["--price", price]);
    });
    command.args(["--spread-users", &USERS.to_string(), "--grant", grant, "--json"]).args(more);
    command
}

/// Imports a file like the trace.
pub(crate) async fn imported(drip: &Drip, file: &Path, grant: &str, more: &[&str]) -> Said {
    said(import(drip, file, grant, more)).await
}

/// What must come of a file like the trace, in millionths.
#[derive(Debug)]
pub(crate) struct Sums {
    /// What each user pays.
    pub(crate) paid: BTreeMap<String, i64>,
    /// The exact sum of all rows of each user, rounded down once.
    pub(crate) exact: BTreeMap<String, i64>,
    /// The numbers of the rows that are not charged.
    pub(crate) declined: Vec<u64>,
}

/// Works it out in Python.
pub(crate) async fn sums(file: &Path, grant: &str) -> Sums {
    let mut python = Command::new("python3");
    python.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("exact_sums.py")).arg(file);
    let result = said({
        python.args([&USERS.to_string(), grant]).args(PRICES);
        python
    })
    .await
    .expect(0)
    .json();
    let amounts = |field: &str| -> BTreeMap<String, i64> {
        let amounts = result[field].as_object().expect("an object of amounts");
        amounts.iter().map(|(user, amount)| (user.clone(), credits(amount))).collect()
    };
    let declined = result["declined"].as_array().expect("a list of rows");
    let declined = declined.iter().map(|row| row.as_u64().expect("a number")).collect();
    Sums { paid: amounts("paid"), exact: amounts("exact"), declined }
}

impl Sums {
    /// The log says that each user paid just this, and that just these rows were declined.
    pub(crate) fn assert_is(&self, ledger: &Ledger, source: &str) {
        let paid = self.paid.iter().filter(|(_, amount)| **amount > 0);
        assert_eq!(
            ledger.spent.iter().filter(|(_, spent)| **spent > 0).collect::<Vec<_>>(),
            paid.collect::<Vec<_>>()
        );
        let declined = ledger.declined.get(source).into_iter().flatten().copied().collect::<Vec<_>>();
        assert_eq!(declined, self.declined);
    }
}

/// What each user paid, by lists of accounts that began with this grant.
pub(crate) fn spent(accounts: &[Value], grant: &str) -> BTreeMap<String, i64> {
    let user = |account: &Value| account["user_id"].as_str().expect("every account has a user").to_owned();
    let grant = credits(&grant.into());
    accounts.iter().map(|account| (user(account), grant - credits(&account["balance"]))).collect()
}
