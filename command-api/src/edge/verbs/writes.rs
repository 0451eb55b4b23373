//! The verbs that ask the writers.

use std::sync::Arc;
use std::time::Duration;

use ledger_core::command::{AddMoney, Debit};
use ledger_core::event::Usage;
use ledger_core::{BatchItem, Command, Key, SourceBatch, Timestamp};
use projector::AccountRow;
use serde::Deserialize;
use tokio::time::Instant;

use crate::ask::{AccountAnswer, AccountView, Answer, Ask, Call, Failure};
use crate::edge::EdgeState;
use crate::edge::amount::AmountField;
use crate::edge::auth::Principal;
use crate::edge::dto::answers::{
    AccountBody, BriefResultsBody, DebitsAnswer, ErrorBody, ReceiptBody, ResultBody, ResultsBody,
    SourceResultBody,
};
use crate::edge::dto::brief::BriefResult;
use crate::edge::dto::convert::{AnswerForm, CheckedSource};
use crate::edge::dto::plain::PlainBatch;
use crate::edge::dto::requests::{
    CloseRequest, DebitRequest, DebitsRequest, GetRequest, MoneyRequest, OpenRequest, SourceRequest,
};
use crate::edge::dto::shapes::Object;
use crate::edge::metadata::JsonText;
use crate::edge::problem::{EdgeCode, Problem};

use super::{check_app, deadline};

/// How long an account waits for what only the views know of it.
const PROFILE_PATIENCE: Duration = Duration::from_secs(1);

/// Opens an account, or shows the one that is there.
pub async fn open(state: &EdgeState, who: &Principal, mut body: OpenRequest) -> Result<AccountBody, Problem> {
    check_app(who, body.app.as_deref())?;
    let deadline = deadline(body.deadline.as_deref())?;
    let container = body.container.take().map(|Object(asked)| asked.of_user(body.user_id.clone()));
    let container = container.map(|asked| asked.into_command(who, state.house.vault.as_ref()));
    let container = container.transpose().map_err(|problem| problem.under("container"))?;
    let command = body.into_command(who)?;
    let profile = command.profile.clone();
    let answer = ask_account(state, Ask::Command(Command::Open(command)), deadline).await;
    let answer = answer.map_err(|problem| AmountField::InitialBalance.named_in(problem))?;
    let is_new = answer.changed;
    let body = if is_new {
        let given: Option<Profile> =
            profile.as_ref().and_then(|sealed| serde_json::from_slice(&sealed.bytes).ok());
        let Profile { email, metadata } = given.unwrap_or_default();
        AccountBody { email, metadata, ..AccountBody::of(answer.account, false) }
    } else {
        with_profile(state, answer.account, false).await
    };
    let body = AccountBody { created: Some(is_new), ..body };
    match container {
        // Opening again changes nothing, but a container that could not be set the first time.
        Some(command) if body.container.is_none() => {
            let ask = Ask::Command(Command::SetContainer(command));
            let answer = ask_account(state, ask, deadline).await;
            let answer = answer.map_err(|problem| half_done(problem, is_new))?;
            // Money may have moved in between: position and balance are of one moment.
            let AccountBody { email, metadata, created, .. } = body;
            Ok(AccountBody { email, metadata, created, ..AccountBody::of(answer.account, false) })
        }
        _ => Ok(body),
    }
}

/// Shows an account as its owner knows it: never stale.
pub async fn get(state: &EdgeState, who: &Principal, body: GetRequest) -> Result<AccountBody, Problem> {
    check_app(who, body.app.as_deref())?;
    let deadline = deadline(body.deadline.as_deref())?;
    let (id, lots) = body.into_account(who)?;
    let answer = ask_account(state, Ask::Get(id), deadline).await.map_err(nothing_happened)?;
    Ok(with_profile(state, answer.account, lots).await)
}

/// Closes an account.
pub async fn close(state: &EdgeState, who: &Principal, body: CloseRequest) -> Result<AccountBody, Problem> {
    check_app(who, body.app.as_deref())?;
    let deadline = deadline(body.deadline.as_deref())?;
    let command = Command::Close(body.into_command(who)?);
    let answer = ask_account(state, Ask::Command(command), deadline).await?;
    Ok(AccountBody { changed: Some(answer.changed), ..with_profile(state, answer.account, false).await })
}

/// Debits an account. Problems tell the key: who gave none needs it to ask what became of the debit.
pub async fn debit(state: &EdgeState, who: &Principal, body: DebitRequest) -> Result<ReceiptBody, Problem> {
    let (call, asked) = ask_debit(who, body)?;
    asked.receipt(state.desk.ask(call).await)
}

/// What a debit's answer is made of, besides what the writer says.
#[derive(Debug)]
pub struct AskedDebit {
    key: Option<Key>,
    /// What it was called that is charged.
    field: AmountField,
    /// Of a dry run.
    usage: Option<Usage>,
}

impl AskedDebit {
    fn of(debit: &Debit) -> Self {
        let Debit { usage, dry_run } = debit;
        let field = AmountField::of(&usage.charge);
        // A dry run is answered with the usage besides what the writer says.
        Self { key: usage.key.clone(), field, usage: dry_run.then(|| usage.clone()) }
    }
}

/// The call that a debit is. Problem: the first thing that is wrong with it.
pub fn ask_debit(who: &Principal, body: DebitRequest) -> Result<(Call, AskedDebit), Problem> {
    let mut key = given_key(body.key.as_deref());
    try_ask_debit(who, body, &mut key).map_err(|problem| problem.of_key(key))
}

fn try_ask_debit(
    who: &Principal,
    body: DebitRequest,
    key: &mut Option<Key>,
) -> Result<(Call, AskedDebit), Problem> {
    check_app(who, body.app.as_deref())?;
    let deadline = deadline(body.deadline.as_deref())?;
    let debit = body.into_command(who, fresh_key)?;
    key.clone_from(&debit.usage.key);
    let asked = AskedDebit::of(&debit);
    Ok((Call { ask: Ask::Command(Command::Debit(debit)), deadline }, asked))
}

impl AskedDebit {
    /// What the caller is answered. Problem: it is not paid; with the key.
    pub fn receipt(self, answer: Answer) -> Result<ReceiptBody, Problem> {
        receipt(answer, self.usage).map_err(|problem| self.field.named_in(problem).of_key(self.key))
    }
}

/// Records money that was paid.
pub async fn deposit(state: &EdgeState, who: &Principal, body: MoneyRequest) -> Result<ReceiptBody, Problem> {
    add_money(state, who, body, Command::Deposit).await
}

/// Gives money.
pub async fn grant(state: &EdgeState, who: &Principal, body: MoneyRequest) -> Result<ReceiptBody, Problem> {
    add_money(state, who, body, Command::Grant).await
}

async fn add_money(
    state: &EdgeState,
    who: &Principal,
    body: MoneyRequest,
    command: fn(AddMoney) -> Command,
) -> Result<ReceiptBody, Problem> {
    let key = given_key(body.key.as_deref());
    try_add_money(state, who, body, command).await.map_err(|problem| problem.of_key(key))
}

async fn try_add_money(
    state: &EdgeState,
    who: &Principal,
    body: MoneyRequest,
    command: fn(AddMoney) -> Command,
) -> Result<ReceiptBody, Problem> {
    check_app(who, body.app.as_deref())?;
    let deadline = deadline(body.deadline.as_deref())?;
    let ask = Ask::Command(command(body.into_command(who)?));
    let added = receipt(state.desk.ask(Call { ask, deadline }).await, None);
    added.map_err(|problem| AmountField::Amount.named_in(problem))
}

/// Debits many accounts, each by itself. `answer_max`: the largest answer that can be sent, in bytes; when the
/// answer could exceed it, nothing is decided.
pub async fn debits(
    state: &EdgeState,
    who: &Principal,
    body: DebitsRequest,
    answer_max: Option<usize>,
) -> Result<DebitsAnswer, Problem> {
    check_app(who, body.app.as_deref())?;
    let deadline = deadline(body.deadline.as_deref())?;
    let form = body.answer_form()?;
    let debits = body.into_commands(who, fresh_key)?;
    check_answer(&debits, form, answer_max)?;
    Ok(match form {
        AnswerForm::Full => DebitsAnswer::Batch(full(state, debits, deadline).await),
        AnswerForm::Brief => DebitsAnswer::Brief(brief(state, debits, deadline).await),
    })
}

/// The same, of a batch that was read in one pass.
pub async fn plain_debits(
    state: &EdgeState,
    batch: PlainBatch<'_>,
    answer_max: usize,
) -> Result<DebitsAnswer, Problem> {
    let deadline = deadline(batch.deadline)?;
    check_answer(&batch.debits, AnswerForm::Brief, Some(answer_max))?;
    Ok(DebitsAnswer::Brief(brief(state, batch.debits, deadline).await))
}

fn check_answer(debits: &[Debit], form: AnswerForm, answer_max: Option<usize>) -> Result<(), Problem> {
    if answer_max.is_some_and(|max| super::bound::of_results(debits, form) > max) {
        let detail =
            "The answer could be too large to be sent; nothing was decided. Send fewer debits at once.";
        return Err(Problem::new(EdgeCode::PayloadTooLarge, detail));
    }
    Ok(())
}

async fn full(state: &EdgeState, debits: Vec<Debit>, deadline: Timestamp) -> ResultsBody {
    let asked: Vec<_> = debits.iter().map(AskedDebit::of).collect();
    let answers = ask_each(state, debits, Ask::Command, deadline).await;
    let result = |(place, (answer, asked))| result(answer, asked, place);
    ResultsBody { results: answers.into_iter().zip(asked).enumerate().map(result).collect() }
}

async fn brief(state: &EdgeState, debits: Vec<Debit>, deadline: Timestamp) -> BriefResultsBody {
    let answers = ask_each(state, debits, Ask::Brief, deadline).await.into_iter();
    BriefResultsBody { results: answers.map(|answer| BriefResult::of(answer, refusal)).collect() }
}

async fn ask_each(
    state: &EdgeState,
    debits: Vec<Debit>,
    ask: fn(Command) -> Ask,
    deadline: Timestamp,
) -> Vec<Answer> {
    let calls = debits.into_iter().map(|debit| Call { ask: ask(Command::Debit(debit)), deadline });
    state.desk.ask_all(calls, deadline).await
}

fn result(answer: Answer, asked: AskedDebit, place: usize) -> ResultBody {
    match asked.receipt(answer) {
        Ok(receipt) => ResultBody::Receipt(Box::new(receipt)),
        Err(error) => ResultBody::Error(ErrorBody { error: error.under(&format!("debits[{place}]")) }),
    }
}

/// Takes the items (from, to] of a source.
pub async fn source_batch(
    state: &EdgeState,
    who: &Principal,
    body: SourceRequest,
) -> Result<SourceResultBody, Problem> {
    check_app(who, body.app.as_deref())?;
    if state.desk.straight().is_some() {
        return Err(Problem::invalid("source", "goes to every partition: ask for it without naming one"));
    }
    let deadline = deadline(body.deadline.as_deref())?;
    let CheckedSource { head, items } = body.into_batch(who)?;
    let (source, from, to) = (head.source.to_string(), head.from, head.to);
    let items = items.into_iter().map(|(number, usage)| {
        let partition = state.desk.route(&usage.account);
        BatchItem { number, partition, usage }
    });
    let batch = SourceBatch::new(head, items.collect())?;
    let digest = batch.digest().to_string();
    match state.desk.apply_source(Arc::new(batch), deadline).await {
        Answer::Source(answer) => Ok(SourceResultBody::of(source, from, to, digest, *answer)),
        other => Err(refusal(other)),
    }
}

/// The caller's own key, where it is one.
fn given_key(text: Option<&str>) -> Option<Key> {
    Key::new(text?).ok()
}

/// A key for who gave none. It carries its time, so that a late retry can be told from a new act.
fn fresh_key() -> Key {
    Key::of_uuid(uuid::Uuid::now_v7().into_bytes())
}

pub(super) async fn ask_account(
    state: &EdgeState,
    ask: Ask,
    deadline: Timestamp,
) -> Result<AccountAnswer, Problem> {
    match state.desk.ask(Call { ask, deadline }).await {
        Answer::Account(answer) => Ok(*answer),
        other => Err(refusal(other)),
    }
}

fn receipt(answer: Answer, dry_run: Option<Usage>) -> Result<ReceiptBody, Problem> {
    match (answer, dry_run) {
        (Answer::Done(receipt), _) => Ok(ReceiptBody::of(*receipt)),
        (Answer::WouldCharge(would), Some(usage)) => Ok(ReceiptBody::of_dry_run(usage, &would)),
        (other, _) => Err(refusal(other)),
    }
}

/// Why there is no answer of the kind that was asked for.
pub(super) fn refusal(answer: Answer) -> Problem {
    match answer {
        Answer::Rejected(rejection) => rejection.into(),
        Answer::Failed(failure) => failure.into(),
        other => {
            tracing::error!(?other, "a writer gave an answer of another kind than it was asked for");
            Problem::internal()
        }
    }
}

/// A read that got no answer in time has changed nothing.
fn nothing_happened(problem: Problem) -> Problem {
    if problem.body().code == EdgeCode::OutcomeUnknown.as_str() {
        return Failure::Unavailable("The account's writer did not answer in time.".to_owned()).into();
    }
    problem
}

/// What was asked for in two parts, of which one is done: no refusal would be true, not even that the account was closed
/// meanwhile. Asked again, the rest is done, or refused by itself.
fn half_done(problem: Problem, is_new: bool) -> Problem {
    if is_new { Failure::OutcomeUnknown.into() } else { problem }
}

/// What an opening says of a person.
#[derive(Default, Deserialize)]
struct Profile {
    email: Option<String>,
    metadata: Option<JsonText>,
}

pub(super) async fn with_profile(state: &EdgeState, account: AccountView, lots: bool) -> AccountBody {
    let row = profile_row(state, &account).await;
    let body = AccountBody::of(account, lots);
    match row {
        Some(row) => body.with_profile(row),
        None => body,
    }
}

async fn profile_row(state: &EdgeState, account: &AccountView) -> Option<AccountRow> {
    let read = async {
        state.views.wait_for(account.opened, Instant::now() + PROFILE_PATIENCE).await.ok()?;
        state.views.account(&account.id).await.ok().flatten()
    };
    tokio::time::timeout(PROFILE_PATIENCE, read).await.ok().flatten()
}

#[cfg(test)]
mod tests {
    use ledger_core::rejection::Code;

    use super::*;

    #[test]
    fn whatever_a_debit_fails_of_its_key_is_told() {
        let failures = [
            (Answer::Failed(Failure::OutcomeUnknown), "outcome_unknown"),
            (Answer::Failed(Failure::Overloaded), "overloaded"),
            (Answer::Failed(Failure::Unavailable("no".to_owned())), "unavailable"),
            (Answer::Rejected(Code::AccountClosed.into()), "account_closed"),
        ];
        for (answer, code) in failures {
            let key = fresh_key();
            let asked = AskedDebit { key: Some(key.clone()), field: AmountField::Amount, usage: None };
            let told = serde_json::to_value(result(answer, asked, 0)).unwrap();
            assert_eq!(
                (&told["error"]["code"], &told["error"]["key"]),
                (&code.into(), &key.to_string().into())
            );
        }
    }

    #[test]
    fn of_what_is_half_done_nobody_is_told_that_nothing_happened() {
        for code in [Code::DeadlinePassed, Code::AccountClosed] {
            assert_eq!(half_done(code.into(), true).body().code, "outcome_unknown");
        }
        assert_eq!(half_done(Code::AccountClosed.into(), false).body().code, "account_closed");
    }

    #[test]
    fn a_key_that_is_none_is_not_told() {
        assert_eq!(given_key(None), None);
        assert_eq!(given_key(Some(&"x".repeat(201))), None);
        assert_eq!(given_key(Some("k")).unwrap().to_string(), "k");
    }
}
