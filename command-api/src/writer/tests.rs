//! The writer against a scripted log: what it sends, when it answers, and what it never does.

use bytes::Bytes;
use event_log::{AppendOutcome, Entry, ReadError, Refusal, StoredCommit};
use ledger_core::charge::Charge;
use ledger_core::command::{AddMoney, Debit, Open};
use ledger_core::commit::{Class, Commit, EncodedCommit, Prefix};
use ledger_core::event::{Event, Usage};
use ledger_core::time::{MINUTE, SECOND};
use ledger_core::{
    AccountId, AppId, Code, Command, Key, Label, LogId, Meter, PartitionId, Policy, TermNonce, Timestamp,
    Usdc, UserId,
};

use super::{Input, OpenError, Output, Stop, Ticket, Writer, WriterConfig};
use crate::ask::{Answer, Ask, Call, Failure, Receipt};
use crate::init::genesis_commit;

const LOG: LogId = LogId([7; 16]);
const PARTITION: PartitionId = PartitionId(0);
const START: Timestamp = Timestamp(1_800_000_000 * SECOND);

/// A writer, its clock, and what it wanted done last.
struct Bench {
    writer: Writer,
    now: Timestamp,
    next: Ticket,
    stored: Vec<EncodedCommit>,
}

fn app() -> AppId {
    AppId::new("demo").unwrap()
}

fn account(user: &str) -> AccountId {
    AccountId { app: app(), user: UserId::new(user).unwrap() }
}

fn config() -> WriterConfig {
    WriterConfig {
        program: Label::new("drip test").unwrap(),
        policies: vec![(app(), Policy::default())],
        queue_max: 100,
    }
}

fn open(user: &str, balance: &str) -> Command {
    let initial_balance = Usdc::parse(balance).unwrap();
    Command::Open(Open {
        account: account(user),
        key: None,
        initial_balance,
        actor: Label::new("test").unwrap(),
        profile: None,
    })
}

fn debit(user: &str, amount: &str, key: &str) -> Command {
    Command::Debit(Debit { usage: usage(user, amount, key), dry_run: false })
}

fn usage(user: &str, amount: &str, key: &str) -> Usage {
    Usage {
        account: account(user),
        key: Some(Key::new(key).unwrap()),
        item: None,
        charge: Charge::Amount(Usdc::parse(amount).unwrap()),
        meter: Meter::new("search").unwrap(),
        scope: None,
        occurred_at: None,
        metadata: None,
    }
}

fn deposit(user: &str, amount: &str, key: &str) -> Command {
    Command::Deposit(AddMoney {
        account: account(user),
        key: Key::new(key).unwrap(),
        amount: Usdc::parse(amount).unwrap(),
        actor: Label::new("test").unwrap(),
        metadata: None,
    })
}

fn stored(commit: &EncodedCommit) -> StoredCommit {
    StoredCommit { prefix: commit.prefix, hash: commit.hash, bytes: commit.bytes.clone(), stored_at: None }
}

fn appended(outputs: &[Output]) -> EncodedCommit {
    let appends = outputs.iter().filter_map(|output| match output {
        Output::Append(commit) => Some(commit.clone()),
        _ => None,
    });
    match appends.collect::<Vec<_>>().as_slice() {
        [one] => one.clone(),
        other => panic!("one append was expected, there are {}", other.len()),
    }
}

fn answers(outputs: Vec<Output>) -> Vec<(Ticket, Answer)> {
    let answers = outputs.into_iter().filter_map(|output| match output {
        Output::Answer(ticket, answer) => Some((ticket, answer)),
        _ => None,
    });
    answers.collect()
}

fn balance(answer: &Answer) -> String {
    match answer {
        Answer::Done(Receipt { event: Event::Debited(event), .. }) => event.balance.to_string(),
        Answer::Done(Receipt { event: Event::Deposited(event) | Event::Granted(event), .. }) => {
            event.balance.to_string()
        }
        Answer::Account(answer) => answer.account.balance.to_string(),
        other => panic!("{other:?} has no balance"),
    }
}

impl Bench {
    /// Replayed the genesis; nothing opened.
    fn replayed() -> Self {
        let mut bench =
            Self { writer: Writer::new(PARTITION, config()), now: START, next: 0, stored: vec![] };
        let genesis = genesis_commit(LOG, PARTITION, 1, 1, START);
        bench.writer.replay(&stored(&genesis)).unwrap();
        bench.stored.push(genesis);
        bench
    }

    /// The term is open.
    fn serving() -> Self {
        let mut bench = Self::replayed();
        let outputs = bench.open_term(1);
        let term = appended(&outputs);
        assert!(bench.store(&term).contains(&Output::Opened));
        bench
    }

    fn open_term(&mut self, nonce: u8) -> Vec<Output> {
        let mut out = vec![];
        self.writer.open(self.now, TermNonce([nonce; 16]), &mut out).unwrap();
        out
    }

    fn input(&mut self, input: Input) -> Vec<Output> {
        let mut out = vec![];
        self.writer.step(self.now, input, &mut out);
        self.writer.flush(self.now, &mut out);
        out
    }

    fn ask(&mut self, command: Command) -> Vec<Output> {
        let deadline = self.now.plus(10 * SECOND);
        self.call(Call { ask: Ask::Command(command), deadline })
    }

    fn call(&mut self, call: Call) -> Vec<Output> {
        self.next += 1;
        self.input(Input::Call(self.next, call))
    }

    fn outcome(&mut self, outcome: AppendOutcome) -> Vec<Output> {
        self.input(Input::Appended(outcome))
    }

    /// The log has stored this commit.
    fn store(&mut self, commit: &EncodedCommit) -> Vec<Output> {
        self.stored.push(commit.clone());
        self.outcome(AppendOutcome::Stored)
    }

    /// Asks, and lets the log store it at once.
    fn done(&mut self, command: Command) -> Answer {
        let commit = appended(&self.ask(command));
        let (_, answer) = answers(self.store(&commit)).pop().expect("a stored command is answered");
        answer
    }

    fn pass(&mut self, micros: i64) -> Vec<Output> {
        self.now = self.now.plus(micros);
        self.input(Input::Tick)
    }

    fn read_back(&mut self, found: Option<Entry>) -> Vec<Output> {
        self.input(Input::ReadBack(Ok(found)))
    }

    fn stop(&self) -> String {
        self.writer.health(self.now).unwrap_err()
    }
}

#[test]
fn nothing_is_answered_before_the_append_is_acknowledged() {
    let mut bench = Bench::serving();
    let outputs = bench.ask(open("anna", "1"));
    assert_eq!(outputs.len(), 1, "only the append: {outputs:?}");
    let commit = appended(&outputs);
    let given = answers(bench.store(&commit));
    assert_eq!(given.len(), 1);
    assert_eq!(balance(&given[0].1), "1");
}

#[test]
fn what_comes_while_a_commit_is_in_flight_goes_together_into_the_next() {
    let mut bench = Bench::serving();
    bench.done(open("anna", "1"));
    let first = appended(&bench.ask(debit("anna", "0.1", "a")));
    for key in ["b", "c", "d"] {
        assert_eq!(bench.ask(debit("anna", "0.1", key)), vec![], "one commit in flight, no answer yet");
    }
    let outputs = bench.store(&first);
    let second = appended(&outputs);
    assert_eq!(answers(outputs).len(), 1);
    assert_eq!(Commit::decode(&second.bytes).unwrap().events.len(), 3);
    let balances: Vec<_> = answers(bench.store(&second)).iter().map(|(_, answer)| balance(answer)).collect();
    assert_eq!(balances, ["0.8", "0.7", "0.6"]);
}

#[test]
fn reads_and_refusals_wait_for_what_they_rest_on() {
    let mut bench = Bench::serving();
    bench.done(open("anna", "1"));
    let spent = appended(&bench.ask(debit("anna", "1", "a")));
    assert_eq!(bench.call(Call { ask: Ask::Get(account("anna")), deadline: bench.now }), vec![]);
    assert_eq!(
        bench.ask(debit("anna", "1", "b")),
        vec![],
        "refused because of a debit that is not durable yet"
    );
    let given = answers(bench.store(&spent));
    assert_eq!(balance(&given[1].1), "0");
    assert!(matches!(&given[2].1, Answer::Rejected(rejection) if rejection.code == Code::InsufficientCredit));
}

#[test]
fn with_nothing_in_flight_reads_are_answered_at_once() {
    let mut bench = Bench::serving();
    bench.done(open("anna", "1"));
    let given = answers(bench.call(Call { ask: Ask::Get(account("anna")), deadline: bench.now }));
    assert_eq!(balance(&given[0].1), "1");
}

#[test]
fn an_unknown_outcome_is_resolved_by_sending_the_same_bytes_again() {
    let mut bench = Bench::serving();
    let commit = appended(&bench.ask(open("anna", "1")));
    for _ in 0..5 {
        assert_eq!(
            bench.outcome(AppendOutcome::Unknown("timed out".into())),
            vec![],
            "no answer, nothing else sent"
        );
        assert_eq!(bench.ask(open("bob", "1")), vec![], "nothing else is appended meanwhile");
        assert_eq!(appended(&bench.pass(SECOND)), commit, "the same bytes");
    }
    let outputs = bench.store(&commit);
    assert_eq!(Commit::decode(&appended(&outputs).bytes).unwrap().events.len(), 1, "bob, opened once");
    assert_eq!(answers(outputs).len(), 1);
}

#[test]
fn a_conflict_with_our_own_bytes_is_success() {
    let mut bench = Bench::serving();
    let commit = appended(&bench.ask(open("anna", "1")));
    let outputs = bench.outcome(AppendOutcome::Conflict);
    assert_eq!(outputs, vec![Output::ReadBack(commit.prefix.sequence)]);
    let given = answers(bench.read_back(Some(Entry::Commit(stored(&commit)))));
    assert_eq!(balance(&given[0].1), "1");
}

#[test]
fn a_conflict_with_nothing_there_yet_means_the_same_bytes_again() {
    let mut bench = Bench::serving();
    let commit = appended(&bench.ask(open("anna", "1")));
    bench.outcome(AppendOutcome::Conflict);
    assert_eq!(bench.read_back(None), vec![], "it may still be on its way: no answer");
    assert_eq!(appended(&bench.pass(SECOND)), commit);
}

#[test]
fn a_read_back_that_fails_is_tried_again() {
    let mut bench = Bench::serving();
    let commit = appended(&bench.ask(open("anna", "1")));
    bench.outcome(AppendOutcome::Conflict);
    let failed = ReadError::Unavailable { doing: "reading", source: "connection lost".into() };
    assert_eq!(bench.input(Input::ReadBack(Err(failed))), vec![]);
    assert_eq!(bench.pass(SECOND), vec![Output::ReadBack(commit.prefix.sequence)]);
}

#[test]
fn a_newer_owner_ends_the_writer_and_nobody_is_told_that_it_worked() {
    let mut bench = Bench::serving();
    bench.done(open("anna", "1"));
    let mut newer = Bench::replayed();
    for commit in &bench.stored[1..] {
        newer.writer.replay(&stored(commit)).unwrap();
    }
    let other = appended(&newer.open_term(2));
    let commit = appended(&bench.ask(debit("anna", "1", "a")));
    assert_eq!(other.prefix, commit.prefix, "both want the same place");
    bench.ask(debit("anna", "1", "b"));
    bench.outcome(AppendOutcome::Conflict);
    let outputs = bench.read_back(Some(Entry::Commit(stored(&other))));
    assert!(
        outputs.contains(&Output::Stop(Stop::Fenced { partition: PARTITION, sequence: 3 + 1 })),
        "{outputs:?}"
    );
    for (_, answer) in answers(outputs) {
        assert!(matches!(answer, Answer::Failed(Failure::Unavailable(_))), "{answer:?}");
    }
    let given = answers(bench.ask(debit("anna", "1", "c")));
    assert!(matches!(&given[0].1, Answer::Failed(Failure::Unavailable(_))));
    assert!(bench.stop().contains("taken over"));
}

#[test]
fn an_idle_writer_that_sees_another_owner_stops() {
    let mut bench = Bench::serving();
    let mut newer = Bench::replayed();
    newer.writer.replay(&stored(&bench.stored[1])).unwrap();
    let other = appended(&newer.open_term(2));
    let outputs = bench.input(Input::Seen(Ok(Some(Entry::Commit(stored(&other))))));
    assert!(matches!(&outputs[..], [Output::Stop(Stop::Fenced { .. })]), "{outputs:?}");
}

#[test]
fn an_opener_that_was_overtaken_replays_on_and_opens_again() {
    let mut old = Bench::serving();
    let mut new = Bench::replayed();
    new.writer.replay(&stored(&old.stored[1])).unwrap();
    let _ = new.open_term(2);
    let commit = appended(&old.ask(open("anna", "1")));
    old.store(&commit);
    assert_eq!(new.outcome(AppendOutcome::Conflict), vec![Output::ReadBack(commit.prefix.sequence)]);
    let outputs = new.read_back(Some(Entry::Commit(stored(&commit))));
    assert_eq!(outputs, vec![Output::Overtaken]);
    new.writer.replay(&stored(&commit)).unwrap();
    let term = appended(&new.open_term(3));
    assert!(new.store(&term).contains(&Output::Opened));
    assert_eq!(balance(&new.done(debit("anna", "0.4", "a"))), "0.6");
}

#[test]
fn calls_wait_until_the_term_is_open() {
    let mut bench = Bench::replayed();
    let term = appended(&bench.open_term(1));
    assert_eq!(bench.ask(open("anna", "1")), vec![]);
    let outputs = bench.store(&term);
    let commit = appended(&outputs);
    assert_eq!(answers(bench.store(&commit)).len(), 1);
}

#[test]
fn a_foreign_message_in_the_place_is_stepped_over_with_the_same_events() {
    let mut bench = Bench::serving();
    bench.done(open("anna", "1"));
    let old = appended(&bench.ask(debit("anna", "0.1", "a")));
    bench.ask(debit("anna", "0.1", "b"));
    bench.outcome(AppendOutcome::Conflict);
    let sequence = old.prefix.sequence;
    let outputs = bench.read_back(Some(Entry::Foreign { sequence, reason: "no header".into() }));
    let new = appended(&outputs);
    assert_eq!(new.prefix, Prefix { sequence: sequence + 1, ..old.prefix });
    let (old, read) = (Commit::decode(&old.bytes).unwrap(), Commit::decode(&new.bytes).unwrap());
    assert_eq!((old.events, old.previous), (read.events, read.previous));
    let outputs = bench.store(&new);
    let given = answers(
        outputs.iter().filter(|output| !matches!(output, Output::Append(_))).map(clone_output).collect(),
    );
    assert!(matches!(&given[0].1, Answer::Done(receipt) if receipt.position.sequence == sequence + 1));
    let next = appended(&outputs);
    let given = answers(bench.store(&next));
    assert!(matches!(&given[0].1, Answer::Done(receipt) if receipt.position.sequence == sequence + 2));
    let again = bench.ask(debit("anna", "0.1", "a"));
    assert!(
        matches!(again[..], [Output::Fetch(_, position)] if position.sequence == sequence + 1),
        "{again:?}"
    );
    replays_whole(&bench, &[sequence]);
}

fn clone_output(output: &Output) -> Output {
    match output {
        Output::Answer(ticket, answer) => Output::Answer(*ticket, answer.clone()),
        _ => unreachable!("only answers are looked at"),
    }
}

/// What was stored, with foreign messages in between, replays to the state the writer has.
fn replays_whole(bench: &Bench, foreign: &[u64]) {
    let mut twin = Writer::new(PARTITION, config());
    for commit in &bench.stored {
        while foreign.contains(&(twin.chain().read + 1)) {
            twin.replay_foreign(twin.chain().read + 1).unwrap();
        }
        twin.replay(&stored(commit)).unwrap();
    }
    assert_eq!(twin.chain(), bench.writer.chain());
    for (id, account) in bench.writer.ledger().accounts() {
        assert_eq!(twin.ledger().account(id), Some(account), "{id}");
    }
}

#[test]
fn a_repeated_key_is_answered_with_the_first_outcome() {
    let mut bench = Bench::serving();
    bench.done(open("anna", "1"));
    let first = appended(&bench.ask(debit("anna", "0.1", "a")));
    assert_eq!(bench.ask(debit("anna", "0.1", "a")), vec![], "the first is not durable yet");
    let given = answers(bench.store(&first));
    assert!(matches!(&given[1].1, Answer::Done(Receipt { duplicate: true, .. })));
    let outputs = bench.ask(debit("anna", "0.1", "a"));
    let Output::Fetch(ticket, position) = outputs[0] else {
        panic!("an old outcome is fetched: {outputs:?}")
    };
    let event = Commit::decode(&first.bytes).unwrap().events[position.index as usize].clone();
    let given = answers(bench.input(Input::Fetched(ticket, Ok((position, event)))));
    assert!(
        matches!(&given[0].1, Answer::Done(Receipt { duplicate: true, position: at, .. }) if *at == position)
    );
    assert_eq!(balance(&given[0].1), "0.9");
}

#[test]
fn a_declined_call_keeps_its_answer_and_a_new_call_is_decided_afresh() {
    let mut bench = Bench::serving();
    bench.done(open("anna", "0.05"));
    let call = Call { ask: Ask::Command(debit("anna", "0.1", "a")), deadline: bench.now.plus(10 * SECOND) };
    assert!(matches!(&answers(bench.call(call.clone()))[0].1, Answer::Rejected(_)));
    bench.done(deposit("anna", "1", "pay"));
    assert!(
        matches!(&answers(bench.call(call.clone()))[0].1, Answer::Rejected(_)),
        "an attempt of the same call"
    );
    let again = Call { deadline: call.deadline.plus(1), ..call };
    assert!(
        bench.call(again).iter().any(|output| matches!(output, Output::Append(_))),
        "another call with the same key"
    );
}

#[test]
fn nothing_is_decided_after_its_deadline_or_too_long_before_it() {
    let mut bench = Bench::serving();
    let at = |deadline| Call { ask: Ask::Command(open("anna", "1")), deadline };
    let code = |outputs| match &answers(outputs)[0].1 {
        Answer::Rejected(rejection) => rejection.code,
        other => panic!("{other:?}"),
    };
    assert_eq!(code(bench.call(at(bench.now.plus(-1)))), Code::DeadlinePassed);
    assert_eq!(code(bench.call(at(bench.now.plus(MINUTE)))), Code::DeadlineTooFar);
}

#[test]
fn a_call_that_waited_in_the_queue_past_its_deadline_is_not_decided() {
    let mut bench = Bench::replayed();
    let term = appended(&bench.open_term(1));
    bench.call(Call { ask: Ask::Command(open("anna", "1")), deadline: bench.now.plus(SECOND) });
    bench.now = bench.now.plus(2 * SECOND);
    let given = answers(bench.store(&term));
    assert!(matches!(&given[0].1, Answer::Rejected(rejection) if rejection.code == Code::DeadlinePassed));
}

#[test]
fn a_full_log_refuses_new_calls_and_keeps_what_it_has() {
    let mut bench = Bench::serving();
    let commit = appended(&bench.ask(open("anna", "1")));
    bench.outcome(AppendOutcome::Refused(Refusal::Full, "no space".into()));
    let given = answers(bench.ask(open("bob", "1")));
    assert!(matches!(&given[0].1, Answer::Failed(Failure::Unavailable(reason)) if reason == "no space"));
    assert_eq!(appended(&bench.pass(2 * SECOND)), commit);
    assert_eq!(answers(bench.store(&commit)).len(), 1);
    bench.done(open("bob", "1"));
}

#[test]
fn a_queue_that_is_full_answers_overloaded() {
    let mut bench = Bench::replayed();
    let _ = bench.open_term(1);
    for _ in 0..100 {
        assert_eq!(bench.ask(open("anna", "1")), vec![]);
    }
    assert!(matches!(&answers(bench.ask(open("anna", "1")))[0].1, Answer::Failed(Failure::Overloaded)));
}

#[test]
fn a_commit_stays_below_its_size_and_the_rest_waits_for_the_next() {
    let mut bench = Bench::serving();
    bench.writer.config.queue_max = 100_000;
    bench.done(open("anna", "1000"));
    let mut commit = appended(&bench.ask(debit("anna", "0.001", "first")));
    for number in 0..20_000 {
        bench.ask(debit("anna", "0.001", &format!("{number}")));
    }
    let mut answered = 0;
    while answered < 20_001 {
        assert!(commit.bytes.len() < 300 * 1024, "{} bytes", commit.bytes.len());
        let outputs = bench.store(&commit);
        if let Some(next) = outputs.iter().find_map(|output| match output {
            Output::Append(commit) => Some(commit.clone()),
            _ => None,
        }) {
            commit = next;
        }
        answered += answers(outputs).len();
    }
    let id = account("anna");
    assert_eq!(bench.writer.ledger().account(&id).unwrap().balance().to_string(), "979.999");
}

#[test]
fn a_fatal_answer_of_the_log_leaves_what_was_sent_unknown() {
    let mut bench = Bench::serving();
    bench.ask(open("anna", "1"));
    let outputs = bench.outcome(AppendOutcome::Fatal("wrong stream".into()));
    assert!(outputs.contains(&Output::Stop(Stop::Fatal("wrong stream".into()))));
    assert_eq!(answers(outputs)[0].1, Answer::Failed(Failure::OutcomeUnknown));
}

#[test]
fn a_clock_behind_the_log_opens_nothing() {
    let mut bench = Bench::replayed();
    bench.now = START.plus(-10 * SECOND);
    let opened = bench.writer.open(bench.now, TermNonce([1; 16]), &mut vec![]);
    assert!(matches!(opened, Err(OpenError::ClockBehind { seconds: 10 })));
}

#[test]
fn a_log_that_does_not_chain_is_not_opened() {
    let mut bench = Bench::replayed();
    let wrong = genesis_commit(LOG, PARTITION, 1, 2, START);
    assert!(matches!(bench.writer.replay(&stored(&wrong)), Err(OpenError::Broken(_))));
    let garbage = EncodedCommit::new(
        Prefix { sequence: 2, ..wrong.prefix },
        Class::Usage,
        Bytes::from([&wrong.bytes[..32], b"garbage"].concat()),
    );
    assert!(matches!(bench.writer.replay(&stored(&garbage)), Err(OpenError::Decode { .. })));
}

#[test]
fn a_first_outcome_that_can_not_be_read_is_unknown_and_never_undone() {
    let mut bench = Bench::serving();
    bench.done(open("anna", "1"));
    bench.done(debit("anna", "0.1", "a"));
    let outputs = bench.ask(debit("anna", "0.1", "a"));
    let Output::Fetch(ticket, _) = outputs[0] else { panic!("{outputs:?}") };
    let given = answers(bench.input(Input::Fetched(ticket, Err("connection lost".into()))));
    assert_eq!(given[0].1, Answer::Failed(Failure::OutcomeUnknown));
}

#[test]
fn an_attempt_past_its_deadline_is_told_what_an_earlier_one_did() {
    let mut bench = Bench::serving();
    bench.done(open("anna", "1"));
    let late = Call { ask: Ask::Command(debit("anna", "0.1", "a")), deadline: bench.now.plus(-1) };
    let given = answers(bench.call(late.clone()));
    assert!(matches!(&given[0].1, Answer::Rejected(rejection) if rejection.code == Code::DeadlinePassed));
    let first = appended(&bench.ask(debit("anna", "0.1", "a")));
    assert_eq!(bench.call(late), vec![], "the first is in flight");
    let given = answers(bench.store(&first));
    assert!(matches!(&given[1].1, Answer::Done(Receipt { duplicate: true, .. })));
}

#[test]
fn a_declined_dry_run_or_other_content_says_nothing_about_a_call() {
    let mut bench = Bench::serving();
    bench.done(open("anna", "0.05"));
    let deadline = bench.now.plus(10 * SECOND);
    let dry = Command::Debit(Debit { usage: usage("anna", "0.1", "a"), dry_run: true });
    bench.call(Call { ask: Ask::Command(dry), deadline });
    bench.call(Call { ask: Ask::Command(debit("anna", "0.2", "a")), deadline });
    bench.done(deposit("anna", "1", "pay"));
    let outputs = bench.call(Call { ask: Ask::Command(debit("anna", "0.1", "a")), deadline });
    let commit = appended(&outputs);
    assert_eq!(balance(&answers(bench.store(&commit))[0].1), "0.95");
}

#[test]
fn fresh_keys_are_not_judged_by_a_draft_that_waited_long() {
    let mut bench = Bench::serving();
    bench.done(open("anna", "1"));
    let first = appended(&bench.ask(debit("anna", "0.1", "a")));
    bench.ask(debit("anna", "0.1", "b"));
    bench.now = bench.now.plus(6 * MINUTE);
    let millis = bench.now.0 / 1_000;
    let key = format!("{:08x}-{:04x}-7000-8000-000000000000", millis >> 16, millis & 0xffff);
    assert_eq!(bench.ask(debit("anna", "0.1", &key)), vec![], "it waits for a draft of its own time");
    let second = appended(&bench.store(&first));
    let outputs = bench.store(&second);
    let third = appended(&outputs);
    assert_eq!(balance(&answers(bench.store(&third))[0].1), "0.7");
}

#[test]
fn an_idle_writer_that_can_not_see_the_log_stops_answering_until_it_can() {
    let mut bench = Bench::serving();
    bench.done(open("anna", "1"));
    let get = |bench: &mut Bench| {
        let call = Call { ask: Ask::Get(account("anna")), deadline: bench.now };
        answers(bench.call(call)).remove(0).1
    };
    let away =
        || Input::Seen(Err(ReadError::Unavailable { doing: "reading", source: "connection lost".into() }));
    bench.input(away());
    assert_eq!(balance(&get(&mut bench)), "1", "it may be a moment");
    bench.now = bench.now.plus(3 * SECOND);
    bench.input(away());
    assert!(matches!(get(&mut bench), Answer::Failed(Failure::Unavailable(_))));
    assert!(bench.stop().contains("can not be reached"));
    bench.input(Input::Seen(Ok(None)));
    assert_eq!(balance(&get(&mut bench)), "1");
}

#[test]
fn a_log_that_does_not_acknowledge_makes_the_writer_unready() {
    let mut bench = Bench::serving();
    let commit = appended(&bench.ask(open("anna", "1")));
    assert_eq!(bench.writer.health(bench.now), Ok(()));
    bench.now = bench.now.plus(3 * SECOND);
    assert!(bench.stop().contains("does not acknowledge"));
    bench.store(&commit);
    assert_eq!(bench.writer.health(bench.now), Ok(()));
}
