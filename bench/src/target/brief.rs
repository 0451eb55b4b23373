//! Batches in MessagePack with brief answers: each says where a debit stands and what balance is left, no more.

use bytes::Bytes;
use ledger_core::Usdc;
use rmp::encode::{write_array_len, write_map_len, write_str};
use serde::Deserialize;

use super::{Outcome, Paid, json};
use crate::load::{CHARGE, Debit, write_user};

/// What the header of such a request says.
pub(super) const CONTENT_TYPE: &str = "application/msgpack";

#[derive(Deserialize)]
struct Results<'a> {
    #[serde(borrow)]
    results: Vec<Result<'a>>,
}

/// One of the two forms: a receipt, or an error.
#[derive(Deserialize)]
struct Result<'a> {
    position: Option<&'a str>,
    balance: Option<&'a str>,
    #[serde(default)]
    duplicate: bool,
    #[serde(borrow)]
    error: Option<Problem<'a>>,
}

#[derive(Deserialize)]
struct Problem<'a> {
    code: &'a str,
}

/// A batch.
pub(super) fn batch(debits: &[Debit]) -> Bytes {
    let mut body = Vec::with_capacity(40 + debits.len() * 80);
    write(&mut body, debits).expect("writing to memory does not fail");
    body.into()
}

fn write(body: &mut Vec<u8>, debits: &[Debit]) -> std::result::Result<(), rmp::encode::ValueWriteError> {
    write_map_len(body, 2)?;
    write_str(body, "answer")?;
    write_str(body, "brief")?;
    write_str(body, "debits")?;
    write_array_len(body, u32::try_from(debits.len()).expect("a batch has a few thousand debits"))?;
    let (amount, mut key, mut user) = (CHARGE.text(), uuid::Uuid::encode_buffer(), String::new());
    for debit in debits {
        write_map_len(body, 3)?;
        write_str(body, "user_id")?;
        write_user(&mut user, debit.account);
        write_str(body, &user)?;
        write_str(body, "amount")?;
        write_str(body, &amount)?;
        write_str(body, "key")?;
        write_str(body, debit.key.hyphenated().encode_lower(&mut key))?;
    }
    Ok(())
}

/// The answers to a batch. Account and charge are not in them: the audit at the end compares those.
pub(super) fn results(body: &[u8], debits: &[Debit], outcomes: &mut Vec<Outcome>) {
    match rmp_serde::from_slice::<Results<'_>>(body) {
        Ok(answer) if answer.results.len() == debits.len() => {
            outcomes.extend(answer.results.iter().zip(debits).map(|(result, debit)| outcome(result, debit)));
        }
        Ok(answer) => {
            let what = format!("{} results for {} debits", answer.results.len(), debits.len());
            super::all(outcomes, debits.len(), &Outcome::Unknown(what));
        }
        Err(error) => {
            super::all(outcomes, debits.len(), &Outcome::Unknown(format!("an answer that is none: {error}")));
        }
    }
}

fn outcome(result: &Result<'_>, debit: &Debit) -> Outcome {
    if let Some(error) = &result.error {
        return json::failed(error.code);
    }
    let position = result.position.and_then(|position| position.parse().ok());
    let balance = result.balance.and_then(|balance| Usdc::parse(balance).ok());
    match (position, balance) {
        (Some(position), Some(_)) => Outcome::Paid(Paid {
            account: Some(debit.account),
            charged: CHARGE,
            position: Some(position),
            duplicate: result.duplicate,
        }),
        _ => Outcome::Unknown("an answer without a position and a balance".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brief_answer_is_read_by_its_places() {
        let debits = [1, 2, 3].map(|account| Debit { account, key: uuid::Uuid::now_v7() });
        let answer = serde_json::json!({ "results": [
            { "position": "0-9-1", "balance": "1.5" },
            { "error": { "code": "account_unknown" } },
            { "position": "0-9-2", "balance": "1.5", "duplicate": true },
        ] });
        let body = rmp_serde::to_vec_named(&answer).unwrap();
        let mut outcomes = vec![];
        results(&body, &debits, &mut outcomes);
        assert!(matches!(&outcomes[0], Outcome::Paid(paid) if paid.account == Some(1) && !paid.duplicate));
        assert_eq!(outcomes[1], Outcome::Refused("account_unknown".to_owned()));
        assert!(matches!(&outcomes[2], Outcome::Paid(paid) if paid.account == Some(3) && paid.duplicate));
        outcomes.clear();
        results(&body, &debits[..2], &mut outcomes);
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Unknown(_))));
    }

    #[test]
    fn a_request_is_the_messagepack_that_drip_reads() {
        let debit = Debit { account: 7, key: uuid::Uuid::nil() };
        let read: serde_json::Value = rmp_serde::from_slice(&batch(&[debit.clone(), debit])).unwrap();
        assert_eq!((&read["answer"], read["debits"].as_array().unwrap().len()), (&"brief".into(), 2));
        let keys = "00000000-0000-0000-0000-000000000000";
        assert_eq!(
            read["debits"][1],
            serde_json::json!({ "user_id": "u-000007", "amount": "0.007", "key": keys })
        );
    }
}
