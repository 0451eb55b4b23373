//! The bytes of what people and workers tell of the upkeep of an account, as `wire` has the others. Readers before
//! version 3 do not know them.

use serde::{Deserialize, Serialize};

use super::wire::{Key, Sealed};

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ContainerSet {
    #[serde(rename = "a")]
    pub(super) account: u32,
    #[serde(rename = "m")]
    pub(super) image: String,
    #[serde(rename = "h")]
    pub(super) health_path: String,
    #[serde(rename = "w")]
    pub(super) actor: u32,
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<Key>,
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    pub(super) variables: Option<Sealed>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Paused {
    #[serde(rename = "a")]
    pub(super) account: u32,
    #[serde(rename = "b")]
    pub(super) balance: i64,
    #[serde(rename = "w")]
    pub(super) actor: u32,
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<Key>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Resumed {
    #[serde(rename = "a")]
    pub(super) account: u32,
    #[serde(rename = "b")]
    pub(super) balance: i64,
    #[serde(rename = "w")]
    pub(super) actor: u32,
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<Key>,
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub(super) forced: Option<bool>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LifecycleStepped {
    #[serde(rename = "a")]
    pub(super) account: u32,
    #[serde(rename = "n")]
    pub(super) number: u32,
    #[serde(rename = "s")]
    pub(super) step: u8,
    #[serde(rename = "p")]
    pub(super) phase: u8,
    #[serde(rename = "w")]
    pub(super) worker: u32,
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub(super) operation: Option<u8>,
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<i64>,
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub(super) url: Option<String>,
    #[serde(rename = "g", default, skip_serializing_if = "Option::is_none")]
    pub(super) strategy: Option<u8>,
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub(super) gave_up: Option<bool>,
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub(super) attempts: Option<u16>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct NoticeStepped {
    #[serde(rename = "a")]
    pub(super) account: u32,
    #[serde(rename = "c")]
    pub(super) kind: u8,
    #[serde(rename = "j")]
    pub(super) epoch: u32,
    #[serde(rename = "n")]
    pub(super) number: u32,
    #[serde(rename = "s")]
    pub(super) step: u8,
    #[serde(rename = "w")]
    pub(super) worker: u32,
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<i64>,
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub(super) message_id: Option<String>,
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    pub(super) mail: Option<Sealed>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CheckoutStepped {
    #[serde(rename = "a")]
    pub(super) account: u32,
    #[serde(rename = "i")]
    pub(super) session: String,
    #[serde(rename = "s")]
    pub(super) step: u8,
    #[serde(rename = "w")]
    pub(super) actor: u32,
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub(super) amount: Option<i64>,
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<String>,
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub(super) expires_at: Option<i64>,
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<Key>,
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    pub(super) secret: Option<Sealed>,
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<u8>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SolvencyChecked {
    #[serde(rename = "b")]
    pub(super) balances: i64,
    #[serde(rename = "q")]
    pub(super) positions: Vec<u64>,
    #[serde(rename = "v")]
    pub(super) wallet_level: u8,
    #[serde(rename = "y")]
    pub(super) build_level: u8,
    #[serde(rename = "w")]
    pub(super) worker: u32,
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub(super) wallet: Option<i64>,
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub(super) promo: Option<i64>,
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub(super) build_credits: Option<i64>,
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    pub(super) build_monthly: Option<i64>,
}
