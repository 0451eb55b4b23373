//! The requests and answers of Drip as JSON, read for no more than what is checked.

use std::borrow::Cow;
use std::fmt::Write as _;

use bytes::Bytes;
use ledger_core::Usdc;
use serde::Deserialize;

use super::{Outcome, Paid};
use crate::load::{CHARGE, Debit, account_of};

#[derive(Deserialize)]
struct Receipt<'a> {
    #[serde(borrow)]
    user_id: Cow<'a, str>,
    amount: &'a str,
    position: &'a str,
    duplicate: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Result<'a> {
    Failed {
        #[serde(borrow)]
        error: Problem<'a>,
    },
    Paid(#[serde(borrow)] Receipt<'a>),
}

#[derive(Deserialize)]
struct Results<'a> {
    #[serde(borrow)]
    results: Vec<Result<'a>>,
}

#[derive(Deserialize)]
struct Problem<'a> {
    code: &'a str,
}

/// One debit, with its user in the body or, over HTTP, in the path.
pub(super) fn one(debit: &Debit, user: bool) -> Bytes {
    let mut body = String::with_capacity(128);
    write(&mut body, debit, user);
    body.into()
}

/// A batch.
pub(super) fn batch(debits: &[Debit]) -> Bytes {
    let mut body = String::with_capacity(20 + debits.len() * 96);
    body.push_str("{\"debits\":[");
    for (place, debit) in debits.iter().enumerate() {
        if place > 0 {
            body.push(',');
        }
        write(&mut body, debit, true);
    }
    body.push_str("]}");
    body.into()
}

fn write(body: &mut String, debit: &Debit, user: bool) {
    body.push('{');
    if user {
        write!(body, "\"user_id\":\"u-{:06}\",", debit.account).expect("a text takes text");
    }
    write!(body, "\"amount\":\"{CHARGE}\",\"key\":\"{}\"}}", debit.key).expect("a text takes text");
}

/// The answer to one debit.
pub(super) fn receipt(body: &[u8]) -> Outcome {
    match serde_json::from_slice::<Receipt<'_>>(body) {
        Ok(receipt) => paid(&receipt),
        Err(error) => Outcome::Unknown(format!("an answer that is none: {error}")),
    }
}

/// The answers to a batch of so many debits.
pub(super) fn results(body: &[u8], count: usize, outcomes: &mut Vec<Outcome>) {
    match serde_json::from_slice::<Results<'_>>(body) {
        Ok(answer) if answer.results.len() == count => {
            outcomes.extend(answer.results.iter().map(|result| match result {
                Result::Paid(receipt) => paid(receipt),
                Result::Failed { error } => failed(error.code),
            }));
        }
        Ok(answer) => {
            let what = format!("{} results for {count} debits", answer.results.len());
            super::all(outcomes, count, &Outcome::Unknown(what));
        }
        Err(error) => {
            super::all(outcomes, count, &Outcome::Unknown(format!("an answer that is none: {error}")));
        }
    }
}

/// A problem by its code: all say that nothing was done, but one.
pub(super) fn failed(code: &str) -> Outcome {
    match code {
        "outcome_unknown" => Outcome::Unknown(code.to_owned()),
        _ => Outcome::Refused(code.to_owned()),
    }
}

/// The code of a problem.
pub(super) fn problem(body: &[u8]) -> String {
    serde_json::from_slice::<Problem<'_>>(body)
        .map_or("unreadable".to_owned(), |problem| problem.code.to_owned())
}

fn paid(receipt: &Receipt<'_>) -> Outcome {
    match (Usdc::parse(receipt.amount), receipt.position.parse()) {
        (Ok(charged), Ok(position)) => Outcome::Paid(Paid {
            account: account_of(&receipt.user_id),
            charged,
            position: Some(position),
            duplicate: receipt.duplicate,
        }),
        _ => Outcome::Unknown("an answer without an amount and a position".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAID: &str = r#"{"user_id":"u-000007","key":"k","amount":"0.007","balance":"1","available":"1","level":"healthy","position":"0-9-3","duplicate":false,"fee":"0.0001","meter":"usage"}"#;

    #[test]
    fn each_result_of_a_batch_is_told_from_the_others() {
        let body = format!(
            r#"{{"results":[{PAID},{{"error":{{"code":"insufficient_credit","title":"x"}}}},{{"error":{{"code":"outcome_unknown"}}}}]}}"#
        );
        let mut outcomes = vec![];
        results(body.as_bytes(), 3, &mut outcomes);
        assert!(
            matches!(&outcomes[0], Outcome::Paid(paid) if paid.account == Some(7) && paid.charged == CHARGE)
        );
        assert_eq!(outcomes[1], Outcome::Refused("insufficient_credit".to_owned()));
        assert_eq!(outcomes[2], Outcome::Unknown("outcome_unknown".to_owned()));
        outcomes.clear();
        results(body.as_bytes(), 4, &mut outcomes);
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Unknown(_))) && outcomes.len() == 4);
    }

    #[test]
    fn a_request_is_the_json_that_drip_reads() {
        let debit = Debit { account: 7, key: uuid::Uuid::nil() };
        let json = |bytes: Bytes| serde_json::from_slice::<serde_json::Value>(&bytes).unwrap();
        let one = json(one(&debit, true));
        assert_eq!((&one["user_id"], &one["amount"]), (&"u-000007".into(), &"0.007".into()));
        assert_eq!(json(batch(&[debit.clone(), debit]))["debits"].as_array().unwrap().len(), 2);
    }
}
