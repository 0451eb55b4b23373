//! Requests as callers write them, in JSON or MessagePack. `convert` makes of it what the ledger is asked.
//!
//! Every body may name its `app` and its `user_id`; over HTTP the path and the key
//! say the same, so they are optional there.

use ledger_core::{Key, Label, Meter, Scope, UserId};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::edge::decimal::Decimal;
use crate::edge::dto::shapes::{Named, Object, Objects};
use crate::edge::dto::upkeep::OpenContainer;
use crate::edge::metadata::Metadata;

/// Open an account.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenRequest {
    /// Must be the caller's own.
    pub app: Option<String>,
    /// 1 to 200 bytes without control characters, not beginning with `$`.
    #[schema(required, value_type = String, min_length = 1, max_length = 200, pattern = "^[^$\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$")]
    pub user_id: Option<String>,
    /// Where the user can be written to.
    #[schema(max_length = 254, format = Email)]
    pub email: Option<String>,
    /// The caller's own data about the user.
    pub metadata: Option<Metadata>,
    /// What is granted at once, in USDC.
    pub initial_balance: Option<Decimal>,
    /// The container that the user gets, as `PUT /v1/users/{user_id}/container` takes it.
    #[schema(value_type = Option<OpenContainer>)]
    pub container: Option<Object<OpenContainer>>,
    /// The caller's idempotency key. An opening needs none: opening again changes nothing.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "^[^$\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$"
    )]
    pub key: Option<String>,
    /// RFC 3339; at most 30 seconds ahead. After it nothing is decided.
    #[schema(format = DateTime)]
    pub deadline: Option<String>,
}

/// Show an account.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GetRequest {
    /// Must be the caller's own.
    pub app: Option<String>,
    /// The user.
    #[schema(required, value_type = String, min_length = 1, max_length = 200, pattern = "^[^$\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$")]
    pub user_id: Option<String>,
    /// `lots`: with what is left of which lot.
    #[schema(pattern = "^lots$")]
    pub expand: Option<String>,
    /// RFC 3339; at most 30 seconds ahead.
    #[schema(format = DateTime)]
    pub deadline: Option<String>,
}

/// Ask how accounts are dealt to partitions.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoutingRequest {
    /// Must be the caller's own.
    pub app: Option<String>,
}

/// Debit an account for usage: `amount`, or `items`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DebitRequest {
    /// Must be the caller's own.
    pub app: Option<String>,
    /// The user (over HTTP the path names it).
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "^[^$\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$"
    )]
    pub user_id: Option<String>,
    /// In USDC, at most six decimals.
    pub amount: Option<Decimal>,
    /// 1 to 16 lines of quantity and price instead of an amount.
    #[schema(value_type = Option<Vec<ItemRequest>>, min_items = 1, max_items = 16)]
    pub items: Option<Objects<ItemRequest>>,
    /// What was metered: "usage" when not said.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$")]
    pub meter: Option<Named<Meter>>,
    /// Where in the caller's product: "agent:planner/run:42".
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$")]
    pub scope: Option<Named<Scope>>,
    /// When the usage happened, RFC 3339; when not said, when it was debited.
    #[schema(format = DateTime)]
    pub occurred_at: Option<String>,
    /// The caller's own data.
    pub metadata: Option<Metadata>,
    /// The caller's idempotency key, chosen before the first send; a UUIDv7 is best. One is made when there is none.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "^[^$\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$"
    )]
    pub key: Option<String>,
    /// Only tell what would happen.
    #[serde(default)]
    pub dry_run: bool,
    /// RFC 3339; at most 30 seconds ahead. After it nothing is decided.
    #[schema(format = DateTime)]
    pub deadline: Option<String>,
}

/// One line of a charge.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ItemRequest {
    /// What was used: "ContextTokens".
    #[schema(value_type = String, min_length = 1, max_length = 200, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$")]
    pub name: Named<Label>,
    /// How much of it: 0 to 10^9, at most six decimals.
    pub quantity: Decimal,
    /// What one costs, in USDC: 0 to 10^6, at most twelve decimals.
    pub unit_price: Decimal,
}

/// Add money: a deposit (paid) or a grant (given).
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoneyRequest {
    /// Must be the caller's own.
    pub app: Option<String>,
    /// The user (over HTTP the path names it).
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "^[^$\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$"
    )]
    pub user_id: Option<String>,
    /// In USDC, at most six decimals.
    #[schema(required)]
    pub amount: Option<Decimal>,
    /// The caller's idempotency key, remembered for ever. Money in must have one: here, or over HTTP in the header.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "^[^$\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$"
    )]
    pub key: Option<String>,
    /// The caller's own data.
    pub metadata: Option<Metadata>,
    /// RFC 3339; at most 30 seconds ahead. After it nothing is decided.
    #[schema(format = DateTime)]
    pub deadline: Option<String>,
}

/// Close an account. It keeps its balance and refuses debits from then on.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CloseRequest {
    /// Must be the caller's own.
    pub app: Option<String>,
    /// The user (over HTTP the path names it).
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "^[^$\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$"
    )]
    pub user_id: Option<String>,
    /// The caller's idempotency key. A closing needs none: closing again changes nothing.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "^[^$\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$"
    )]
    pub key: Option<String>,
    /// RFC 3339; at most 30 seconds ahead. After it nothing is decided.
    #[schema(format = DateTime)]
    pub deadline: Option<String>,
}

/// Many debits, each decided by itself and answered in its place.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DebitsRequest {
    /// Must be the caller's own.
    pub app: Option<String>,
    /// 1 to 1000 debits over any users; with a brief answer up to 10000.
    #[schema(value_type = Vec<BatchDebitRequest>, min_items = 1, max_items = 10000)]
    pub debits: Objects<BatchDebitRequest>,
    /// `brief`: of each debit only the position and the balance, or the code of why not. Each debit must have a key.
    #[schema(pattern = "^brief$")]
    pub answer: Option<String>,
    /// RFC 3339; at most 30 seconds ahead. After it nothing is decided.
    #[schema(format = DateTime)]
    pub deadline: Option<String>,
}

/// One debit of a batch.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchDebitRequest {
    /// The user.
    #[schema(value_type = String, min_length = 1, max_length = 200, pattern = "^[^$\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$")]
    pub user_id: Named<UserId>,
    /// In USDC, at most six decimals.
    pub amount: Option<Decimal>,
    /// 1 to 16 lines of quantity and price instead of an amount.
    #[schema(value_type = Option<Vec<ItemRequest>>, min_items = 1, max_items = 16)]
    pub items: Option<Objects<ItemRequest>>,
    /// What was metered: "usage" when not said.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$")]
    pub meter: Option<Named<Meter>>,
    /// Where in the caller's product.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$")]
    pub scope: Option<Named<Scope>>,
    /// When the usage happened, RFC 3339.
    #[schema(format = DateTime)]
    pub occurred_at: Option<String>,
    /// The caller's own data.
    pub metadata: Option<Metadata>,
    /// The caller's idempotency key.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200, pattern = "^[^$\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$")]
    pub key: Option<Named<Key>>,
    /// Only tell what would happen.
    #[serde(default)]
    pub dry_run: bool,
}

/// The items (from, to] of a source: a numbered feed whose every item is done with exactly once.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceRequest {
    /// Must be the caller's own.
    pub app: Option<String>,
    /// The feed's name.
    #[schema(min_length = 1, max_length = 200, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$")]
    pub source: String,
    /// The number before the batch's first item; 0 at the beginning.
    pub from: u64,
    /// The batch's last number.
    #[schema(maximum = 9007199254740991_i64)]
    pub to: u64,
    /// The digest that the batch before was answered with; none at the beginning.
    #[schema(pattern = "^[0-9a-fA-F]{64}$")]
    pub digest: Option<String>,
    /// The feed ends at `to`, for now.
    #[serde(default)]
    pub last: bool,
    /// Open accounts that are missing, each with this grant, in USDC.
    pub grant_missing: Option<Decimal>,
    /// Up to 5000 items in order of their numbers. A number without an item is a line nobody can be charged for.
    #[schema(value_type = Vec<SourceDebitRequest>, max_items = 5000)]
    pub debits: Objects<SourceDebitRequest>,
    /// RFC 3339; at most 30 seconds ahead. After it nothing is decided.
    #[schema(format = DateTime)]
    pub deadline: Option<String>,
}

/// One item of a source.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceDebitRequest {
    /// Its number in the feed, from 1.
    #[schema(minimum = 1, maximum = 9007199254740991_i64)]
    pub number: u64,
    /// The user.
    #[schema(value_type = String, min_length = 1, max_length = 200, pattern = "^[^$\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$")]
    pub user_id: Named<UserId>,
    /// In USDC, at most six decimals.
    pub amount: Option<Decimal>,
    /// 1 to 16 lines of quantity and price instead of an amount.
    #[schema(value_type = Option<Vec<ItemRequest>>, min_items = 1, max_items = 16)]
    pub items: Option<Objects<ItemRequest>>,
    /// What was metered: "usage" when not said.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$")]
    pub meter: Option<Named<Meter>>,
    /// Where in the caller's product.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$")]
    pub scope: Option<Named<Scope>>,
    /// When the usage happened, RFC 3339.
    #[schema(format = DateTime)]
    pub occurred_at: Option<String>,
    /// The caller's own data.
    pub metadata: Option<Metadata>,
}

/// A batch in one of its two forms: with `source`, the items of a source.
#[derive(Debug, ToSchema)]
#[schema(as = AnyDebitsRequest)]
#[serde(untagged)]
pub enum AnyDebitsRequest {
    /// Debits over any users.
    Batch(DebitsRequest),
    /// The next items of a source.
    Source(SourceRequest),
}
