//! Batches of plain debits in MessagePack, to be answered briefly: the way of who sends very many. They are read in one
//! pass and without serde, straight into commands. Whatever is not plain, or not right, is left to `requests` and
//! `convert`, which say what is wrong; a property test holds the two together.

use ledger_core::command::Debit;
use ledger_core::event::Usage;
use ledger_core::money::CREDITS_PER_USDC;
use ledger_core::msgpack::Reader;
use ledger_core::{AccountId, Charge, Key, Meter, Scope, Usdc, UserId};

use crate::edge::auth::Principal;
use crate::edge::dto::convert::{BRIEF_BATCH_MAX, USAGE};
use crate::edge::dto::format::Format;

/// A batch that asks for brief answers.
#[derive(Debug, PartialEq, Eq)]
pub struct PlainBatch<'a> {
    /// As it was written.
    pub deadline: Option<&'a str>,
    /// In order, each with a key and none a dry run.
    pub debits: Vec<Debit>,
}

impl<'a> PlainBatch<'a> {
    /// Reads a body. `None`: it is not one, or something about it is wrong.
    pub fn read(format: Format, body: &'a [u8], who: &Principal) -> Option<Self> {
        if format != Format::MessagePack {
            return None;
        }
        let mut rest = Reader(body);
        let (mut answer, mut app, mut deadline, mut debits) = (None, None, None, None);
        for _ in 0..rest.map_len()? {
            match rest.text()? {
                "answer" => once(&mut answer, rest.text()?)?,
                "app" => once(&mut app, rest.text()?)?,
                "deadline" => once(&mut deadline, rest.text()?)?,
                "debits" => once(&mut debits, list(&mut rest, who)?)?,
                _ => return None,
            }
        }
        let own = app.is_none_or(|app| app == who.app.as_str());
        let whole = rest.0.is_empty() && answer == Some("brief") && own;
        debits.filter(|_| whole).map(|debits| Self { deadline, debits })
    }
}

fn list(rest: &mut Reader<'_>, who: &Principal) -> Option<Vec<Debit>> {
    let count = { *rest }.list_len()? as usize;
    if !(1..=BRIEF_BATCH_MAX).contains(&count) {
        return None;
    }
    rest.list(|rest| Some(Debit { usage: usage(rest, who)?, dry_run: false }))
}

fn usage(rest: &mut Reader<'_>, who: &Principal) -> Option<Usage> {
    let (mut user, mut charge, mut key, mut meter, mut scope) = (None, None, None, None, None);
    for _ in 0..rest.map_len()? {
        match rest.text()? {
            "user_id" => once(&mut user, UserId::new(rest.text()?).ok()?)?,
            "amount" => once(&mut charge, amount(rest)?)?,
            "key" => once(&mut key, Key::new(rest.text()?).ok()?)?,
            "meter" => once(&mut meter, Meter::new(rest.text()?).ok()?)?,
            "scope" => once(&mut scope, Scope::new(rest.text()?).ok()?)?,
            _ => return None,
        }
    }
    Some(Usage {
        account: AccountId { app: who.app.clone(), user: user? },
        key: Some(key?),
        item: None,
        charge: Charge::Amount(charge?),
        meter: meter.unwrap_or_else(|| USAGE.clone()),
        scope,
        occurred_at: None,
        metadata: None,
    })
}

/// Text; or whole USDC.
fn amount(rest: &mut Reader<'_>) -> Option<Usdc> {
    match rest.0.first()? {
        0xa0..=0xbf | 0xd9 | 0xda => Usdc::parse(rest.text()?).ok(),
        _ => rest.signed()?.checked_mul(CREDITS_PER_USDC).map(Usdc::from_credits),
    }
}

/// A field stands once.
fn once<T>(field: &mut Option<T>, value: T) -> Option<()> {
    field.replace(value).is_none().then_some(())
}

#[cfg(test)]
mod tests {
    use ledger_core::{AppId, Label};
    use proptest::prelude::*;

    use super::*;
    use crate::edge::dto::requests::AnyDebitsRequest;

    fn who() -> Principal {
        Principal { app: AppId::new("demo").unwrap(), actor: Label::new("test").unwrap() }
    }

    /// What `convert` makes of the same bytes.
    fn converted(body: &[u8]) -> Option<Vec<Debit>> {
        let AnyDebitsRequest::Batch(batch) = AnyDebitsRequest::read(Format::MessagePack, body).ok()? else {
            return None;
        };
        batch.into_commands(&who(), || unreachable!("a brief batch has keys")).ok()
    }

    fn body(json: &serde_json::Value) -> Vec<u8> {
        rmp_serde::to_vec_named(json).unwrap()
    }

    fn debit() -> impl Strategy<Value = serde_json::Value> {
        let name = || prop_oneof![Just("u-000001".to_owned()), Just("\u{1f980}".to_owned()), ".{0,30}"];
        let amount = prop_oneof![
            Just(serde_json::json!("0.007")),
            any::<i64>().prop_map(serde_json::Value::from),
            any::<u64>().prop_map(serde_json::Value::from),
            "-?[0-9]{1,22}(\\.[0-9]{1,8})?".prop_map(serde_json::Value::from),
        ];
        let key = prop_oneof![Just("017f22e2-79b0-7cc3-98c4-dc0c0c07398f".to_owned()), ".{0,20}"];
        let rare = prop_oneof![
            8 => Just(serde_json::json!({})),
            1 => Just(serde_json::json!({ "meter": "llm", "scope": "agent:1" })),
            1 => Just(serde_json::json!({ "dry_run": true })),
            1 => Just(serde_json::json!({ "meter": null, "key": null })),
            1 => Just(serde_json::json!({ "occurred_at": "2026-01-01T00:00:00Z" })),
        ];
        (name(), amount, key, rare).prop_map(|(user, amount, key, rare)| {
            let mut debit = serde_json::json!({ "user_id": user, "amount": amount, "key": key });
            debit.as_object_mut().unwrap().extend(rare.as_object().unwrap().clone());
            debit
        })
    }

    #[test]
    fn a_plain_batch_is_read_in_one_pass() {
        let key = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
        let plain = serde_json::json!({ "user_id": "anna", "amount": "0.007", "key": key });
        let full = serde_json::json!({
            "user_id": "anna", "amount": 7, "key": "k", "meter": "llm", "scope": "agent:1",
        });
        for extra in [serde_json::json!({}), serde_json::json!({ "app": "demo", "deadline": "soon" })] {
            let mut batch = serde_json::json!({ "answer": "brief", "debits": [plain, full] });
            batch.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            let body = body(&batch);
            let read = PlainBatch::read(Format::MessagePack, &body, &who()).unwrap();
            assert_eq!(Some(read.debits), converted(&body));
            assert_eq!(read.deadline, extra["deadline"].as_str());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_read_in_one_pass_is_what_convert_makes_of_it(
            debits in prop::collection::vec(debit(), 0..4),
            answer in prop_oneof![4 => Just("brief"), 1 => Just("long")],
            app in prop_oneof![Just("demo"), Just("other")],
            change in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        ) {
            let mut body = body(&serde_json::json!({ "answer": answer, "app": app, "debits": debits }));
            if let Some((at, byte)) = change {
                let at = at.index(body.len());
                body[at] = byte;
            }
            if let Some(read) = PlainBatch::read(Format::MessagePack, &body, &who()) {
                prop_assert_eq!(Some(read.debits), converted(&body));
            }
        }
    }
}
