//! `drip wallet`: what users hold, and what there is for them.

use chrono::SecondsFormat;
use drip_client::{Amount, Wallet};

use super::connect::ClientArgs;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Show what users hold, and what there is for them, as it was last compared.
#[derive(Debug, clap::Args)]
pub(crate) struct WalletArgs {
    #[command(flatten)]
    client: ClientArgs,
}

impl WalletArgs {
    pub(crate) async fn run(self, output: Output) -> Result<Exit, Failure> {
        output.object(&self.client.client()?.wallet().await?, pairs)?;
        Ok(Exit::Done)
    }
}

fn pairs(wallet: &Wallet) -> Vec<(&'static str, String)> {
    vec![
        ("users hold", format!("{} USDC", wallet.balances)),
        ("wallet", known(wallet.wallet, "USDC")),
        ("promo", known(wallet.promo, "USDC")),
        ("level", wallet.level.to_string()),
        ("container credits", known(wallet.build_credits, "USD")),
        ("containers a month", known(wallet.build_monthly, "USD")),
        ("container level", wallet.build_level.to_string()),
        ("checked", wallet.checked_at.to_rfc3339_opts(SecondsFormat::Secs, true)),
    ]
}

/// What could not be read is no zero.
fn known(amount: Option<Amount>, unit: &str) -> String {
    amount.map_or_else(|| "could not be read".to_owned(), |amount| format!("{amount} {unit}"))
}
