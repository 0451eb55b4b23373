//! Any event that can stand in a log, with its optional fields present and absent.

use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use super::{Hash, Head};
use crate::charge::{Charge, Item, Quantity, UnitPrice};
use crate::event::{
    AccountClosed, AccountOpened, Crossed, CrossingReason, Debited, Declined, Event, Genesis, HorizonRaised,
    MoneyIn, PolicySet, Slice, SourceItem, SourceMarked, TermOpened, Usage,
};
use crate::ids::{
    AccountId, AppId, Key, Label, LogId, Meter, PartitionId, Scope, SourceName, TermNonce, UserId,
};
use crate::level::{Level, Line};
use crate::money::{BALANCE_MAX, Usdc};
use crate::policy::{KEY_BUDGET, OnDecline, Policy};
use crate::rejection::Code;
use crate::sealed::Sealed;
use crate::slots::SlotMap;
use crate::time::Timestamp;

pub(super) fn head() -> impl Strategy<Value = Head> {
    let edge = || prop_oneof![0..300_u64, any::<u64>(), Just(u64::MAX)];
    let names = (any::<[u8; 16]>(), any::<u16>(), any::<[u8; 16]>());
    (names, edge(), edge(), any::<[u8; 32]>(), any::<i64>()).prop_map(
        |((log, partition, term), sequence, previous, hash, time)| Head {
            log: LogId(log),
            partition: PartitionId(partition),
            sequence,
            previous,
            previous_hash: Hash(hash),
            term: TermNonce(term),
            time: Timestamp(time),
        },
    )
}

pub(super) fn text() -> impl Strategy<Value = String> {
    let long = "ж".repeat(50);
    let fixed = ["anna", "{acme}bob", "🦀", "a b/c", "demo", "search", long.as_str()];
    let any = "[^\\p{Cc}$]{1,20}".prop_filter("no URL holds these", |text| text != "." && text != "..");
    prop_oneof![select(fixed.map(str::to_owned).to_vec()), any]
}

pub(super) fn label() -> impl Strategy<Value = Label> {
    text().prop_map(|text| Label::new(&text).unwrap())
}

fn app() -> impl Strategy<Value = AppId> {
    "[a-z0-9-]{1,40}".prop_map(|text| AppId::new(&text).unwrap())
}

fn source() -> impl Strategy<Value = SourceName> {
    text().prop_map(|text| SourceName::new(&text).unwrap())
}

pub(super) fn account() -> impl Strategy<Value = AccountId> {
    (select(vec!["demo", "other"]), text()).prop_map(|(app, user)| AccountId {
        app: AppId::new(app).unwrap(),
        user: UserId::new(&user).unwrap(),
    })
}

pub(super) fn key() -> impl Strategy<Value = Key> {
    let uuid = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
    let nearly =
        ["[0-9a-fA-F]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9A-F]{12}", "[0-9a-f]{32}", "[0-9a-f-]{36}"];
    let nearly =
        select(nearly.to_vec()).prop_flat_map(|pattern| proptest::string::string_regex(pattern).unwrap());
    prop_oneof![text(), uuid, nearly].prop_map(|text| Key::new(&text).unwrap())
}

pub(super) fn sealed() -> impl Strategy<Value = Sealed> {
    (prop_oneof![Just(0), any::<u32>()], prop::collection::vec(any::<u8>(), 0..300))
        .prop_map(|(key_id, bytes)| Sealed { key_id, bytes: bytes.into() })
}

pub(super) fn amount() -> impl Strategy<Value = Usdc> {
    let most = BALANCE_MAX.credits();
    prop_oneof![select(vec![0, 1, 127, 128, 7_000, most]), 0..=most].prop_map(Usdc::from_credits)
}

fn level() -> impl Strategy<Value = Level> {
    select(vec![Level::Healthy, Level::Low, Level::Exhausted])
}

fn line_items() -> impl Strategy<Value = Charge> {
    let item =
        (label(), 0..=Quantity::UNITS_MAX, 0..=UnitPrice::UNITS_MAX).prop_map(|(name, quantity, price)| {
            Item {
                name,
                quantity: Quantity::from_units(quantity).unwrap(),
                unit_price: UnitPrice::from_units(price).unwrap(),
            }
        });
    prop::collection::vec(item, 0..18).prop_map(Charge::Items)
}

fn usage(charge: impl Strategy<Value = Charge>) -> impl Strategy<Value = Usage> {
    let item = (source(), any::<u64>()).prop_map(|(source, number)| SourceItem { source, number });
    let meter = text().prop_map(|text| Meter::new(&text).unwrap());
    let scope = text().prop_map(|text| Scope::new(&text).unwrap());
    let at = any::<i64>().prop_map(Timestamp);
    let rest = (of(scope), of(at), of(sealed()));
    (account(), of(key()), of(item), charge, meter, rest).prop_map(
        |(account, key, item, charge, meter, (scope, occurred_at, metadata))| Usage {
            account,
            key,
            item,
            charge,
            meter,
            scope,
            occurred_at,
            metadata,
        },
    )
}

pub(super) fn debited() -> impl Strategy<Value = Debited> {
    let slices = prop::collection::vec((any::<u32>(), amount()), 0..5);
    let charge = prop_oneof![Just(Charge::Amount(Usdc::ZERO)), line_items()];
    (usage(charge), amount(), amount(), slices, amount(), level(), of(any::<u32>())).prop_map(
        |(mut usage, charged, fee, slices, balance, level, epoch_started)| {
            if let Charge::Amount(amount) = &mut usage.charge {
                *amount = charged;
            }
            let mut slices: Vec<_> = slices.into_iter().map(|(lot, amount)| Slice { lot, amount }).collect();
            if let [only] = slices.as_mut_slice() {
                only.amount = charged;
            }
            let slices = slices.into();
            Debited { usage, charged, fee, slices, balance, level, epoch_started }
        },
    )
}

fn declined() -> impl Strategy<Value = Declined> {
    let asked = any::<i64>().prop_map(|credits| Charge::Amount(Usdc::from_credits(credits)));
    let code = select(Code::ALL.to_vec());
    (usage(prop_oneof![asked, line_items()]), code, any::<bool>(), amount())
        .prop_map(|(usage, code, dusted, balance)| Declined { usage, code, dusted, balance })
}

fn money_in() -> impl Strategy<Value = MoneyIn> {
    let figures = (amount(), any::<u32>(), any::<u8>(), amount(), amount());
    let rise = (of(any::<u32>()), any::<bool>());
    (account(), key(), figures, level(), rise, label(), of(sealed())).prop_map(
        |(
            account,
            key,
            (amount, lot, priority, balance, baseline),
            level,
            (epoch_started, wakes),
            actor,
            metadata,
        )| MoneyIn {
            account,
            key,
            amount,
            lot,
            priority,
            balance,
            baseline,
            level,
            epoch_started,
            wakes,
            actor,
            metadata,
        },
    )
}

fn policy_set() -> impl Strategy<Value = PolicySet> {
    let on_decline = select(vec![OnDecline::Dust, OnDecline::Exhaust, OnDecline::Ignore]);
    let budget = select(vec![KEY_BUDGET, 16, 1_000_000_000]);
    let policy = (0..=10_000_u16, 0..=99_u8, on_decline, 1..=168_u16, budget).prop_map(
        |(fee_bps, low_percent, on_decline, key_window_hours, key_budget)| Policy {
            fee_bps,
            low_percent,
            on_decline,
            key_window_hours,
            key_budget,
        },
    );
    (app(), any::<u32>(), policy).prop_map(|(app, number, policy)| PolicySet { app, number, policy })
}

fn crossed() -> impl Strategy<Value = Crossed> {
    let reason = select(vec![CrossingReason::Debit, CrossingReason::Decline, CrossingReason::Policy]);
    (account(), select(vec![Line::Low, Line::Exhausted]), amount(), amount(), any::<u32>(), reason).prop_map(
        |(account, line, balance, baseline, epoch, reason)| Crossed {
            account,
            line,
            balance,
            baseline,
            epoch,
            reason,
        },
    )
}

pub(super) fn event() -> impl Strategy<Value = Event> {
    let genesis = (any::<[u8; 16]>(), select(vec![1, 2, 4, 300])).prop_map(|(log, partitions)| Genesis {
        log: LogId(log),
        format: 1,
        partitions,
        slots: SlotMap::even(partitions),
    });
    let term = (any::<[u8; 16]>(), any::<u64>(), label()).prop_map(|(nonce, head, program)| TermOpened {
        nonce: TermNonce(nonce),
        head,
        program,
    });
    let opened = (account(), of(key()), amount(), level(), label(), of(sealed())).prop_map(
        |(account, key, initial_balance, level, actor, profile)| AccountOpened {
            account,
            key,
            initial_balance,
            level,
            actor,
            profile,
        },
    );
    let closed = (account(), of(key()), amount(), label())
        .prop_map(|(account, key, balance, actor)| AccountClosed { account, key, balance, actor });
    let marked = (app(), source(), any::<u64>(), any::<[u8; 32]>())
        .prop_map(|(app, source, to, digest)| SourceMarked { app, source, to, digest: Hash(digest) });
    let raised =
        (app(), any::<i64>()).prop_map(|(app, horizon)| HorizonRaised { app, horizon: Timestamp(horizon) });
    prop_oneof![
        genesis.prop_map(Event::Genesis),
        term.prop_map(Event::TermOpened),
        policy_set().prop_map(Event::PolicySet),
        opened.prop_map(Event::AccountOpened),
        money_in().prop_map(Event::Granted),
        money_in().prop_map(Event::Deposited),
        debited().prop_map(Event::Debited),
        declined().prop_map(Event::Declined),
        crossed().prop_map(Event::Crossed),
        closed.prop_map(Event::AccountClosed),
        marked.prop_map(Event::SourceMarked),
        raised.prop_map(Event::HorizonRaised),
        super::upkeep::event(),
    ]
}
