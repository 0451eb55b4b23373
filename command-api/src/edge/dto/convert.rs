//! Requests into what the ledger is asked: all checks of shape, each naming its field.

use std::str::FromStr;
use std::sync::LazyLock;

use ledger_core::charge::{Item, Quantity, UnitPrice};
use ledger_core::command::{AddMoney, Close, Debit, Open};
use ledger_core::commit::Hash;
use ledger_core::event::{SourceItem, Usage};
use ledger_core::ids::InvalidName;
use ledger_core::money::InvalidDecimal;
use ledger_core::rejection::Code;
use ledger_core::sealed::Sealed;
use ledger_core::{AccountId, BatchHead, Charge, Key, Meter, Scope, SourceName, Timestamp, Usdc, UserId};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::edge::amount::AmountField;
use crate::edge::auth::Principal;
use crate::edge::decimal::Decimal;
use crate::edge::dto::format::Format;
use crate::edge::dto::requests::{
    AnyDebitsRequest, BatchDebitRequest, CloseRequest, DebitRequest, DebitsRequest, GetRequest, ItemRequest,
    MoneyRequest, OpenRequest, SourceDebitRequest, SourceRequest,
};
use crate::edge::dto::shapes::{Named, Objects};
use crate::edge::metadata::Metadata;
use crate::edge::problem::{EdgeCode, Problem};
use crate::edge::time::from_rfc3339;

/// How many debits one batch may hold.
pub const BATCH_MAX: usize = 1_000;
/// How many with a brief answer.
pub const BRIEF_BATCH_MAX: usize = 10_000;
/// How many items one batch of a source may hold.
pub const SOURCE_BATCH_MAX: usize = 5_000;
/// The largest number of an item: what every reader of JSON holds exactly.
const NUMBER_MAX: u64 = (1 << 53) - 1;
/// The longest e-mail address there can be (RFC 5321).
const EMAIL_MAX: usize = 254;

/// The meter of who names none.
pub(super) static USAGE: LazyLock<Meter> = LazyLock::new(|| Meter::new("usage").expect("a short fixed text"));

/// A source's batch, checked; the items still without their partitions.
#[derive(Debug)]
pub struct CheckedSource {
    /// What the batch says of itself.
    pub head: BatchHead,
    /// Number and usage of each item.
    pub items: Vec<(u64, Usage)>,
}

impl AnyDebitsRequest {
    /// Reads the form that the field `source` tells. Problem: the body is not of this format, or its first field that
    /// is wrong.
    pub fn read(format: Format, bytes: &[u8]) -> Result<Self, Problem> {
        #[derive(Deserialize)]
        struct Form {
            source: Option<IgnoredAny>,
        }
        // Each form is refused at the first field of the other: what is right is read about once.
        if let Some(batch) = format.try_read(bytes) {
            return Ok(Self::Batch(batch));
        }
        if let Some(source) = format.try_read(bytes) {
            return Ok(Self::Source(source));
        }
        // Something is wrong. A body that was cut may not tell its form, and is told to have been cut.
        match format.read(bytes)? {
            Form { source: Some(_) } => format.read(bytes).map(Self::Source),
            Form { source: None } => format.read(bytes).map(Self::Batch),
        }
    }
}

impl OpenRequest {
    /// The command. Problem: the first field that can not be what it should.
    pub fn into_command(self, who: &Principal) -> Result<Open, Problem> {
        let account = account(who, &required("user_id", self.user_id)?)?;
        let email = self.email.map(|email| check_email(&email).map(|()| email)).transpose()?;
        let metadata = self.metadata.map_or(Ok(None), |metadata| metadata.into_json("metadata"))?;
        let initial_balance = self.initial_balance.map(|balance| amount("initial_balance", &balance));
        Ok(Open {
            account,
            key: optional("key", self.key, Key::new)?,
            initial_balance: initial_balance.transpose()?.unwrap_or(Usdc::ZERO),
            actor: who.actor.clone(),
            profile: profile(email.as_deref(), metadata.as_deref()),
        })
    }
}

impl GetRequest {
    /// The account, and whether its lots are wanted. Problem: the first field that can not be what it should.
    pub fn into_account(self, who: &Principal) -> Result<(AccountId, bool), Problem> {
        let lots = match self.expand.as_deref() {
            None => false,
            Some("lots") => true,
            Some(_) => return Err(Problem::invalid("expand", "can only be \"lots\"")),
        };
        Ok((account(who, &required("user_id", self.user_id)?)?, lots))
    }
}

impl DebitRequest {
    /// The command; a debit without a key is given `fresh`. Problem: the first field that can not be what it should.
    pub fn into_command(self, who: &Principal, fresh: impl FnOnce() -> Key) -> Result<Debit, Problem> {
        let key = self.key.as_deref().map(Named::new);
        let key = checked("key", key)?;
        let asked = AskedUsage {
            user_id: Named::new(&required("user_id", self.user_id)?),
            amount: self.amount,
            items: self.items,
            meter: self.meter,
            scope: self.scope,
            occurred_at: self.occurred_at,
            metadata: self.metadata,
        };
        let key = key.or_else(|| (!self.dry_run).then(fresh));
        Ok(Debit { usage: asked.into_usage(who, key)?, dry_run: self.dry_run })
    }
}

impl MoneyRequest {
    /// The command. Problem: the first field that can not be what it should, or `key_required`.
    pub fn into_command(self, who: &Principal) -> Result<AddMoney, Problem> {
        let account = account(who, &required("user_id", self.user_id)?)?;
        let key = optional("key", self.key, Key::new)?
            .ok_or_else(|| Problem::new(EdgeCode::KeyRequired, EdgeCode::KeyRequired.title()).at("key"))?;
        let amount = amount("amount", &required("amount", self.amount)?)?;
        let metadata = seal(self.metadata)?;
        Ok(AddMoney { account, key, amount, actor: who.actor.clone(), metadata })
    }
}

impl CloseRequest {
    /// The command. Problem: the first field that can not be what it should.
    pub fn into_command(self, who: &Principal) -> Result<Close, Problem> {
        let account = account(who, &required("user_id", self.user_id)?)?;
        Ok(Close { account, key: optional("key", self.key, Key::new)?, actor: who.actor.clone() })
    }
}

/// How a batch is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerForm {
    /// Each debit as if it had been asked alone.
    Full,
    /// Each debit by its position and balance.
    Brief,
}

impl DebitsRequest {
    /// How it is to be answered. Problem: a form that there is not.
    pub fn answer_form(&self) -> Result<AnswerForm, Problem> {
        match self.answer.as_deref() {
            None => Ok(AnswerForm::Full),
            Some("brief") => Ok(AnswerForm::Brief),
            Some(_) => Err(Problem::invalid("answer", "can only be \"brief\"")),
        }
    }

    /// The commands, in order. Problem: the first field of the first debit that can not be what it should.
    pub fn into_commands(self, who: &Principal, fresh: impl Fn() -> Key) -> Result<Vec<Debit>, Problem> {
        let form = self.answer_form()?;
        let Objects(debits) = self.debits;
        let most = if form == AnswerForm::Brief { BRIEF_BATCH_MAX } else { BATCH_MAX };
        if !(1..=most).contains(&debits.len()) {
            return Err(Problem::invalid("debits", format_args!("must hold 1 to {most} debits")));
        }
        let command = |(index, debit): (usize, BatchDebitRequest)| {
            debit
                .into_command(who, form, &fresh)
                .map_err(|problem| problem.under(&format!("debits[{index}]")))
        };
        debits.into_iter().enumerate().map(command).collect()
    }
}

impl BatchDebitRequest {
    fn into_command(
        self,
        who: &Principal,
        form: AnswerForm,
        fresh: impl FnOnce() -> Key,
    ) -> Result<Debit, Problem> {
        let key = match checked("key", self.key)? {
            None if self.dry_run => None,
            None if form == AnswerForm::Brief => {
                let detail = "key is missing: a brief answer does not tell a key that was made";
                return Err(Problem::new(EdgeCode::MissingField, detail).at("key"));
            }
            key => Some(key.unwrap_or_else(fresh)),
        };
        let asked = AskedUsage {
            user_id: self.user_id,
            amount: self.amount,
            items: self.items,
            meter: self.meter,
            scope: self.scope,
            occurred_at: self.occurred_at,
            metadata: self.metadata,
        };
        Ok(Debit { usage: asked.into_usage(who, key)?, dry_run: self.dry_run })
    }
}

impl SourceRequest {
    /// The batch. Problem: the first field that can not be what it should.
    pub fn into_batch(self, who: &Principal) -> Result<CheckedSource, Problem> {
        let source = name("source", &self.source, SourceName::new)?;
        let grant_missing = self.grant_missing.map(|grant| check_grant(&grant)).transpose()?;
        if self.to > NUMBER_MAX {
            return Err(Problem::invalid("to", format_args!("must be at most {NUMBER_MAX}")));
        }
        let Objects(debits) = self.debits;
        if debits.len() > SOURCE_BATCH_MAX {
            return Err(Problem::invalid("debits", format_args!("holds more than {SOURCE_BATCH_MAX} items")));
        }
        let head = BatchHead {
            app: who.app.clone(),
            source: source.clone(),
            from: self.from,
            to: self.to,
            digest_from: digest(self.from, self.digest)?,
            last: self.last,
            grant_missing,
            actor: who.actor.clone(),
        };
        let item = |(index, item): (usize, SourceDebitRequest)| {
            item.into_usage(who, &source).map_err(|problem| problem.under(&format!("debits[{index}]")))
        };
        let items = debits.into_iter().enumerate().map(item).collect::<Result<_, _>>()?;
        Ok(CheckedSource { head, items })
    }
}

impl SourceDebitRequest {
    fn into_usage(self, who: &Principal, source: &SourceName) -> Result<(u64, Usage), Problem> {
        let asked = AskedUsage {
            user_id: self.user_id,
            amount: self.amount,
            items: self.items,
            meter: self.meter,
            scope: self.scope,
            occurred_at: self.occurred_at,
            metadata: self.metadata,
        };
        let item = Some(SourceItem { source: source.clone(), number: self.number });
        Ok((self.number, Usage { item, ..asked.into_usage(who, None)? }))
    }
}

/// What every form of a debit says of the usage.
struct AskedUsage {
    user_id: Named<UserId>,
    amount: Option<Decimal>,
    items: Option<Objects<ItemRequest>>,
    meter: Option<Named<Meter>>,
    scope: Option<Named<Scope>>,
    occurred_at: Option<String>,
    metadata: Option<Metadata>,
}

impl AskedUsage {
    fn into_usage(self, who: &Principal, key: Option<Key>) -> Result<Usage, Problem> {
        Ok(Usage {
            account: AccountId { app: who.app.clone(), user: self.user_id.check("user_id")? },
            key,
            item: None,
            charge: charge(self.amount, self.items)?,
            meter: checked("meter", self.meter)?.unwrap_or_else(|| USAGE.clone()),
            scope: checked("scope", self.scope)?,
            occurred_at: self.occurred_at.map(|at| moment("occurred_at", &at)).transpose()?,
            metadata: seal(self.metadata)?,
        })
    }
}

fn charge(asked: Option<Decimal>, items: Option<Objects<ItemRequest>>) -> Result<Charge, Problem> {
    match (asked, items) {
        (Some(asked), None) => Ok(Charge::Amount(amount("amount", &asked)?)),
        (None, Some(Objects(items))) => Ok(Charge::Items(check_items(items)?)),
        (None, None) => Err(Problem::missing("amount")),
        (Some(_), Some(_)) => Err(Problem::invalid("amount", "can not be given together with items")),
    }
}

fn check_items(items: Vec<ItemRequest>) -> Result<Vec<Item>, Problem> {
    // The ledger has the same rule. Here it keeps what is too long out of the events of a source, which record
    // declined items too.
    if !(1..=ledger_core::charge::ITEMS_MAX).contains(&items.len()) {
        return Err(Problem::from(Code::ItemsCount).at("items"));
    }
    let item = |(index, item): (usize, ItemRequest)| {
        item.into_item().map_err(|problem| problem.under(&format!("items[{index}]")))
    };
    items.into_iter().enumerate().map(item).collect()
}

impl ItemRequest {
    fn into_item(self) -> Result<Item, Problem> {
        let quantity = Quantity::parse(self.quantity.as_str());
        let unit_price = UnitPrice::parse(self.unit_price.as_str());
        Ok(Item {
            name: self.name.check("name")?,
            quantity: quantity.map_err(|rule| Problem::invalid("quantity", rule))?,
            unit_price: unit_price.map_err(|rule| Problem::invalid("unit_price", rule))?,
        })
    }
}

pub(crate) fn required<T>(field: &str, value: Option<T>) -> Result<T, Problem> {
    value.ok_or_else(|| Problem::missing(field))
}

/// A name, or why it is none.
pub fn name<T>(field: &str, text: &str, new: fn(&str) -> Result<T, InvalidName>) -> Result<T, Problem> {
    new(text).map_err(|error| Problem::invalid(field, error.rule))
}

pub(crate) fn optional<T>(
    field: &str,
    text: Option<String>,
    new: fn(&str) -> Result<T, InvalidName>,
) -> Result<Option<T>, Problem> {
    text.map(|text| name(field, &text, new)).transpose()
}

fn checked<T: FromStr<Err = InvalidName>>(field: &str, name: Option<Named<T>>) -> Result<Option<T>, Problem> {
    name.map(|name| name.check(field)).transpose()
}

pub(crate) fn account(who: &Principal, user_id: &str) -> Result<AccountId, Problem> {
    let user = name("user_id", user_id, UserId::new)?;
    Ok(AccountId { app: who.app.clone(), user })
}

/// Zero, negative and far too large are the ledger's own answers; the first two only it can order among its others.
pub(crate) fn amount(field: &str, digits: &Decimal) -> Result<Usdc, Problem> {
    Usdc::parse(digits.as_str()).map_err(|error| match error {
        InvalidDecimal::TooLarge => Problem::from(Code::AmountTooLarge).at(field),
        InvalidDecimal::Malformed | InvalidDecimal::TooPrecise(_) => Problem::invalid(field, error),
    })
}

/// A source's grant is never refused later, so that it is checked whole here.
fn check_grant(digits: &Decimal) -> Result<Usdc, Problem> {
    let grant = amount("grant_missing", digits)?;
    if grant < Usdc::ZERO {
        return Err(AmountField::GrantMissing.named_in(Code::AmountNotPositive.into()));
    }
    if grant > ledger_core::money::AMOUNT_MAX {
        return Err(AmountField::GrantMissing.named_in(Code::AmountTooLarge.into()));
    }
    Ok(grant)
}

/// A moment, or why it is none.
pub fn moment(field: &str, text: &str) -> Result<Timestamp, Problem> {
    from_rfc3339(text).map_err(|rule| Problem::invalid(field, rule))
}

fn seal(metadata: Option<Metadata>) -> Result<Option<Sealed>, Problem> {
    metadata.map_or(Ok(None), |metadata| metadata.seal("metadata"))
}

fn digest(from: u64, text: Option<String>) -> Result<Hash, Problem> {
    match text {
        Some(text) => Hash::try_from(text).map_err(|_| Problem::invalid("digest", "must be 64 hex digits")),
        None if from == 0 => Ok(Hash::ZERO),
        None => Err(Problem::missing("digest")),
    }
}

fn check_email(email: &str) -> Result<(), Problem> {
    let shaped = email.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
    let clean = !email.chars().any(|c| c.is_control() || c.is_whitespace());
    if shaped && clean && email.len() <= EMAIL_MAX {
        return Ok(());
    }
    Err(Problem::invalid("email", "must be an e-mail address of at most 254 bytes"))
}

fn profile(email: Option<&str>, metadata: Option<&str>) -> Option<Sealed> {
    let email = email.map(|email| {
        let quoted = serde_json::to_string(email).expect("text is always JSON");
        format!("\"email\":{quoted}")
    });
    let metadata = metadata.map(|json| format!("\"metadata\":{json}"));
    let parts: Vec<String> = email.into_iter().chain(metadata).collect();
    (!parts.is_empty()).then(|| Sealed::plain(format!("{{{}}}", parts.join(","))))
}
