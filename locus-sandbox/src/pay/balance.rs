//! The wallet: what is in it, and what went out.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use ledger_core::Usdc;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Answer, Caller, Refusal, success};
use crate::clock::Time;
use crate::config::{BalanceShape, Mode, ShortWallet};
use crate::record::{Effect, Service};
use crate::store::{Shared, Turn};

/// The address of the wallet.
pub(super) const WALLET: &str = "0x5A00000000000000000000000000000000005A00";

/// Something that was paid from the wallet.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Transaction {
    id: String,
    amount: Usdc,
    memo: String,
    created_at: Time,
}

impl Transaction {
    fn wire(&self) -> Value {
        json!({
            "id": self.id, "status": "CONFIRMED", "category": "claw_send", "tokens": "USDC",
            "amount_usdc": self.amount, "memo": self.memo, "to_address": null, "to_ens_name": null,
            "recipient_email": null, "tx_hash": null, "created_at": self.created_at,
        })
    }
}

pub(super) async fn status(_: Caller) -> Response {
    success(&json!({"walletStatus": "deployed", "walletAddress": WALLET}))
}

pub(super) async fn balance(State(shared): State<Arc<Shared>>, _: Caller) -> Response {
    success(&shared.look(|turn| turn.balance()))
}

#[derive(Deserialize)]
pub(super) struct Window {
    limit: Option<usize>,
    #[serde(default)]
    offset: usize,
}

pub(super) async fn transactions(
    State(shared): State<Arc<Shared>>,
    _: Caller,
    Query(window): Query<Window>,
) -> Response {
    let limit = window.limit.unwrap_or(50).min(100);
    success(&shared.look(|turn| {
        let all = &turn.store.pay.transactions;
        let rows: Vec<Value> =
            all.iter().rev().skip(window.offset).take(limit).map(Transaction::wire).collect();
        let has_more = window.offset + rows.len() < all.len();
        let pagination =
            json!({"total": all.len(), "limit": limit, "offset": window.offset, "has_more": has_more});
        json!({"transactions": rows, "pagination": pagination})
    }))
}

/// In beta even the owner may not read one.
pub(super) async fn transaction(
    State(shared): State<Arc<Shared>>,
    _: Caller,
    Path(id): Path<String>,
) -> Answer {
    shared.look(|turn| {
        if turn.store.switches.mode == Mode::Beta {
            return Err(Refusal::new(StatusCode::FORBIDDEN, "You may not read this transaction"));
        }
        let found = turn.store.pay.transactions.iter().find(|transaction| transaction.id == id);
        found.map(|found| success(&found.wire())).ok_or_else(|| Refusal::not_found("Transaction"))
    })
}

impl Turn<'_> {
    fn balance(&self) -> Value {
        let pay = &self.store.pay;
        match self.store.switches.balance_shape {
            BalanceShape::Observed => json!({
                "wallet_address": WALLET, "workspace_id": "ws_sandbox", "chain": "base",
                "usdc_balance": observed(pay.usdc), "promo_credit_balance": observed(pay.promo),
                "allowance": null, "max_transaction_size": null,
            }),
            BalanceShape::Documented => {
                json!({"balance": pay.usdc + pay.promo, "token": "USDC", "wallet_address": WALLET})
            }
            BalanceShape::Changed => {
                json!({"wallet": {"address": WALLET, "funds": {"available": pay.usdc + pay.promo}}})
            }
        }
    }

    /// Pays a wrapped or x402 call, promo credits first.
    pub(super) fn pay_call(&mut self, endpoint: &str) -> Result<(), Refusal> {
        let cost = self.config().prices.get(endpoint).copied().unwrap_or_default();
        let pay = &mut self.store.pay;
        if pay.usdc + pay.promo < cost {
            return Err(self.short_wallet(cost));
        }
        let from_promo = cost.min(pay.promo);
        pay.promo -= from_promo;
        pay.usdc -= cost - from_promo;
        self.write_down(endpoint, cost);
        Ok(())
    }

    fn write_down(&mut self, endpoint: &str, cost: Usdc) {
        let (id, created_at) = (self.store.ids.uuid("transaction"), self.now);
        let transaction = Transaction { id, amount: cost, memo: endpoint.to_owned(), created_at };
        self.store.pay.transactions.push(transaction);
        self.note(Service::Pay, Effect::WrappedCalled { endpoint: endpoint.to_owned(), cost });
    }

    fn short_wallet(&self, cost: Usdc) -> Refusal {
        let status = match self.store.switches.short_wallet {
            ShortWallet::PaymentRequired => StatusCode::PAYMENT_REQUIRED,
            ShortWallet::Forbidden => StatusCode::FORBIDDEN,
        };
        Refusal::new(status, format!("Insufficient USDC balance: this call costs {cost}"))
    }
}

/// Nothing was seen as "0.0".
fn observed(amount: Usdc) -> String {
    if amount.is_zero() { "0.0".to_owned() } else { amount.to_string() }
}
