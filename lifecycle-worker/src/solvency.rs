//! Solvency: whether there is as much as users hold. What can not be read is unknown, which is no alarm and no comfort.

use ledger_core::Usdc;
use locus::{Build, Pay};

use crate::ledger::{Found, Ledger, Refused};

/// Where the money is.
pub struct Wallet {
    /// The wallet that pays for what users use.
    pub pay: Pay,
    /// Credits for containers.
    pub build: Build,
}

/// Looks, and hands in what was found.
pub(crate) async fn look(ledger: &dyn Ledger, wallet: &Wallet, floor: Usdc) {
    let (balance, billing) = tokio::join!(wallet.pay.balance(), wallet.build.billing_balance());
    let balance = balance.inspect_err(|error| tracing::warn!(%error, "the wallet could not be read")).ok();
    let billing = billing.inspect_err(|error| tracing::warn!(%error, "credits could not be read")).ok();
    // In one shape there is one figure for all, in the other two.
    let known = balance.filter(|balance| balance.total().is_some());
    let found = Found {
        wallet: known.as_ref().and_then(|balance| balance.usdc.or(balance.single)),
        promo: known.as_ref().and_then(|balance| balance.promo),
        build_credits: billing.as_ref().and_then(|billing| billing.credit_balance),
        build_monthly: billing.as_ref().and_then(|billing| billing.monthly_total),
        floor,
    };
    match ledger.compare(&found).await {
        Ok(told) if told.wallet_level == "critical" || told.build_level == "critical" => {
            let (wallet, build, users) = (&told.wallet_level, &told.build_level, told.balances);
            tracing::error!(wallet, build, %users, "there is less than users hold, or than containers cost a month");
        }
        Ok(told) => tracing::debug!(?told, "solvency was looked at"),
        Err(Refused::Trouble(reason)) => tracing::warn!(reason, "solvency could not be written down"),
        Err(_) => {}
    }
}
