//! The golden log breaks no rule; each rule is broken here on purpose, by a change to the golden log that is put
//! together again with right hashes, and the complaint is compared word by word.

use super::*;
use crate::fold::account::Policy;
use crate::testing::{cases, changed, golden, golden_parts};
use crate::wire::Key;

fn judge(mut fold: Fold, log: &[Vec<u8>]) -> Result<Fold, Violation> {
    for (sequence, bytes) in (1..).zip(log) {
        fold.commit(sequence, bytes)?;
    }
    fold.check_sums()?;
    Ok(fold)
}

/// What the judge says of the golden log with these changes.
fn complaint(changes: &[&str]) -> String {
    match judge(Fold::new(0), &changed(changes)) {
        Ok(_) => "none".to_owned(),
        Err(violation) => violation.to_string(),
    }
}

#[test]
fn the_golden_log_breaks_no_rule_and_adds_up() {
    let fold = judge(Fold::new(0).anywhere(), &golden()).unwrap();
    let anna = fold.account(fold.number("demo", "anna").unwrap());
    assert_eq!((anna.balance, anna.baseline, anna.level.word()), (0, 30_100_000, "exhausted"));
    // Of item 2, which was 0.1 at 0.0000025: less than a credit, and so nothing was charged.
    assert_eq!(anna.carry, 250_000_000_000);
    let totals = fold.totals();
    assert_eq!((totals.commits, totals.events, totals.accounts, totals.keys), (19, 82, 5, 15));
    assert_eq!((totals.deposited, totals.granted), (25_500_000, 15_000_000 + 705_000 + 1_200_000));
    assert_eq!((totals.charged, totals.fees), (35_801_000, 1_790_050));
    assert_eq!(totals.balances, totals.deposited + totals.granted - totals.charged);
    assert_eq!((totals.debits, totals.declines, totals.crossings), (12, 3, 6));
}

#[test]
fn every_rule_is_missed_when_it_is_broken() {
    let mut cases = cases(include_str!("violations.txt"));
    cases.extend(crate::testing::cases(include_str!("upkeep.txt")));
    let wrong = cases.iter().map(|(changes, expected)| (changes, expected, complaint(changes)));
    let wrong = wrong.filter(|(_, expected, said)| said != *expected);
    let wrong: Vec<String> =
        wrong.map(|(changes, _, said)| format!("{}\n= {said}\n", changes.join("\n"))).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    let named = |rule: &Rule| cases.iter().any(|(_, said)| said.contains(&format!("the rule \"{rule}\" is")));
    let untried: Vec<_> = Rule::ALL.iter().filter(|rule| !named(rule)).collect();
    assert!(untried.is_empty(), "no case breaks {untried:?}");
}

/// Bytes as somebody might leave them who can not, or will not, hash the rest anew.
#[test]
fn the_chain_is_missed_when_it_is_broken() {
    let log = changed(&[]);
    let with = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut log = log.clone();
        change(&mut log);
        judge(Fold::new(0), &log).map_or_else(|violation| violation.to_string(), |_| "none".to_owned())
    };
    type Change<'a> = &'a dyn Fn(&mut Vec<Vec<u8>>);
    let cases: &[(Change<'_>, &str)] = &[
        (
            &|log| drop(log.remove(4)),
            r#"0-5-0: the rule "chain" is broken: expected commit number 5, found 6"#,
        ),
        (
            &|log| log.insert(4, log[3].clone()),
            r#"0-5-0: the rule "chain" is broken: expected commit number 5, found 4"#,
        ),
        (
            &|log| log[4][21] = 1,
            r#"0-5-0: the rule "chain" is broken: expected a commit of partition 0, found 1"#,
        ),
        (
            &|log| log[4][4] ^= 1,
            r#"0-5-0: the rule "chain" is broken: expected a commit of log "000102030405060708090a0b0c0d0e0f", found "010102030405060708090a0b0c0d0e0f""#,
        ),
        (
            &|log| log[4][0] = b'd',
            r#"0-5-0: the rule "form" is broken: expected a commit, found the bytes do not begin with the 32 bytes that every commit begins with"#,
        ),
        (
            &|log| log[4].truncate(9),
            r#"0-5-0: the rule "form" is broken: expected a commit, found the bytes do not begin with the 32 bytes that every commit begins with"#,
        ),
        (
            &|log| log[4].push(0),
            r#"0-5-0: the rule "form" is broken: expected a commit, found the bytes behind the prefix can not be decoded: something follows it"#,
        ),
        (
            &|log| *log[4].last_mut().unwrap() ^= 1,
            r#"0-6-0: the rule "chain" is broken: expected the predecessor's hash to be "ffb479695b591c80e4e2a37c34f4cdc564e21e4a05432b19dbd32f0f6d99c037", found "8b97be27c9796a32bf533b2469ff3d84c1d92955ad4ba40ae5e480e11c4493fa""#,
        ),
    ];
    let wrong = cases
        .iter()
        .map(|(change, expected)| (with(*change), expected))
        .filter(|(said, expected)| said != *expected);
    let wrong: Vec<String> = wrong.map(|(said, _)| said).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_foreign_message_is_stepped_over_and_counted() {
    let mut fold = Fold::new(0);
    fold.foreign(1).unwrap();
    let mut commits = golden_parts();
    commits[0].prefix[29] = 2;
    fold.commit(2, &commits[0].bytes()).unwrap();
    assert_eq!((fold.totals().foreign, fold.chain().sequence, fold.chain().read), (1, 2, 2));
    let violation = fold.foreign(4).unwrap_err().to_string();
    assert_eq!(violation, "0-4-0: the rule \"chain\" is broken: expected message number 3, found 4");
}

#[test]
fn sums_that_do_not_add_up_are_named() {
    let mut fold = judge(Fold::new(0), &changed(&[])).unwrap();
    fold.accounts[2].balance += 1;
    let said = fold.check_sums().unwrap_err().to_string();
    let expected = "0-19-0: the rule \"lots\" is broken for demo/bob: expected lots that hold the balance, found \
                    104000 credits in lots and a balance of 104001";
    assert_eq!(said, expected);
    let mut fold = judge(Fold::new(0), &changed(&[])).unwrap();
    fold.totals.charged += 1;
    let said = fold.check_sums().unwrap_err().to_string();
    assert_eq!(
        said,
        "0-19-0: the rule \"postings\" is broken: expected a sum of 0 over all postings, found 1"
    );
}

/// Behind the sixth commit, with nothing known of the accounts but what is still to come.
fn since_the_sixth(log: &[Vec<u8>]) -> String {
    let start = Commit::read(&log[5]).unwrap();
    let mut fold = Fold::since(Chain::behind(&start));
    let mut judge = || {
        (7..).zip(&log[6..]).try_for_each(|(sequence, bytes)| fold.commit(sequence, bytes))?;
        fold.check_sums()
    };
    judge()
        .map_or_else(|violation| violation.to_string(), |()| format!("{} accounts", fold.totals().accounts))
}

#[test]
fn a_fold_from_the_middle_judges_what_it_sees() {
    for (changes, said) in [
        (&[][..], "4 accounts"),
        (
            &["7 set e/1/D/b 30086001"],
            r#"0-7-1: the rule "postings" is broken for demo/anna: expected postings that sum to 0, found [-6999, 6650, 350], which is 1"#,
        ),
        // It is the account's first event here, so only the next one can tell.
        (
            &["7 set e/0/D/b 30093001"],
            r#"0-7-1: the rule "postings" is broken for demo/anna: expected postings that sum to 0, found [-7001, 6650, 350], which is -1"#,
        ),
        (
            &[r#"7 set e/1/D/k "order 7""#],
            r#"0-7-2: the rule "keys" is broken for demo/anna: expected a key that had no effect yet, found a second effect of the key "order 7""#,
        ),
        (
            &["11 set e/6/C/b 1"],
            r#"0-11-6: the rule "postings" is broken for demo/anna: expected the balance to stay 0, found 1"#,
        ),
    ] {
        assert_eq!(since_the_sixth(&changed(changes)), said, "{changes:?}");
    }
}

#[test]
fn a_key_of_one_app_is_not_forgotten_by_the_window_of_another() {
    const HOUR: i64 = 60 * MINUTE;
    let mut fold = Fold::new(0);
    for (name, hours) in [("a", 24), ("b", 1)] {
        let on_decline = crate::wire::OnDecline::Ignore;
        let policy = Policy { fee_bps: 0, low_percent: 0, on_decline, window: hours * HOUR };
        fold.policies.insert(name.to_owned(), App { number: 1, policy, horizon: i64::MIN, raised: 0 });
    }
    let mut used = |hour: i64, app, account, key: &str| {
        let at = Moment { place: fold.place(1, 0), time: hour * HOUR, numbers: vec![] };
        fold.move_horizons(at.time);
        fold.keep(&at, app, account, Key::Text(key), true)
    };
    used(500_000, "a", 1, "order-1").unwrap();
    for number in 0..1_024 {
        used(500_002, "b", 2, &format!("k{number}")).unwrap();
    }
    assert!(used(500_003, "a", 1, "order-1").is_err());
}

/// What the judge says of a log that begins behind the 13th commit, with these changes.
fn since_the_thirteenth(changes: &[&str]) -> String {
    let log = changed(changes);
    let start = Commit::read(&log[12]).unwrap();
    let mut fold = Fold::since(Chain::behind(&start));
    let judged = (14..).zip(&log[13..]).try_for_each(|(sequence, bytes)| fold.commit(sequence, bytes));
    judged
        .and_then(|()| fold.check_sums())
        .map_or_else(|violation| violation.to_string(), |()| "none".to_owned())
}

#[test]
fn upkeep_from_the_middle_is_judged_by_what_is_seen_of_it() {
    // Which operation is due, which step may follow and whether a mail is true nobody can tell there.
    let known_alone = [
        &["14 set e/0/L/o 2"][..],
        &["14 set e/1/L/s 8", "14 set e/1/L/p 3"],
        &["15 set e/1/W/f true"],
        &["17 set e/5/E/s 4"],
        &["18 set e/5/U/i \"s-9\""],
    ];
    for changes in [&[][..]].into_iter().chain(known_alone) {
        assert_eq!(since_the_thirteenth(changes), "none", "{changes:?}");
    }
    for (changes, said) in [
        (
            &["14 set e/2/L/n 2"][..],
            r#"0-14-2: the rule "containers" is broken for demo/cleo: expected step number 3, found 2"#,
        ),
        (
            &[r#"14 insert e/1 {"L":{"a":0,"n":2,"s":0,"p":0,"w":0,"o":1,"u":1700000074000000}}"#],
            r#"0-14-1: the rule "containers" is broken for demo/cleo: expected no step while another worker is at it, found one at 1700000014000000, worker-1 being at it until 1700000074000000 (µs since 1970)"#,
        ),
        (
            &[r#"15 insert e/1 {"D":{"a":0,"m":1,"c":1,"l":1,"b":4999999}}"#],
            r#"0-15-1: the rule "sleeps" is broken for demo/cleo: expected no debit of an account that was put to sleep, found one"#,
        ),
        (
            &["15 set e/1/W/b 4999999"],
            r#"0-15-1: the rule "postings" is broken for demo/cleo: expected the balance to stay 5000000, found 4999999"#,
        ),
        (
            &[r#"17 insert e/6 {"E":{"a":0,"c":1,"j":1,"n":5,"s":1,"w":2,"i":"m"}}"#],
            r#"0-17-6: the rule "mails" is broken for demo/cleo: expected the end of a mail that was sent, found a step behind it"#,
        ),
        (
            &["18 cut e/4"],
            r#"0-18-4: the rule "sessions" is broken for demo/cleo: expected the payment of session s-1, whose deposit stands before, found session s-2 parked"#,
        ),
    ] {
        assert_eq!(since_the_thirteenth(changes), said, "{changes:?}");
    }
}

/// Sessions 1 to 100, opened by one commit behind the first three of the 18th, and what else is told there.
fn with_many_sessions(more: &[&str]) -> String {
    let open = |name: u32| {
        format!(r#"18 insert e/8 {{"U":{{"a":0,"i":"m-{name}","s":0,"w":1,"c":5,"l":"u","u":1}}}}"#)
    };
    // Each is put before those that were: the last of these changes stands first.
    let changes: Vec<String> = more
        .iter()
        .rev()
        .map(|text| format!("18 insert e/8 {text}"))
        .chain((1..=98).rev().map(open))
        .collect();
    let changes: Vec<&str> = changes.iter().map(String::as_str).collect();
    complaint(&changes)
}

#[test]
fn sessions_that_ended_make_room_and_are_forgotten_then() {
    // s-2 waits for a person beside m-1 to m-98.
    let opened = |name: &str| format!(r#"{{"U":{{"a":0,"i":"{name}","s":0,"w":1,"c":5,"l":"u","u":1}}}}"#);
    let parked = |name: &str| format!(r#"{{"U":{{"a":0,"i":"{name}","s":2,"w":1,"r":1}}}}"#);
    let (one, two, three) = (opened("n-1"), opened("n-2"), opened("n-3"));
    assert_eq!(with_many_sessions(&[&one]), "none");
    let full = r#"0-18-107: the rule "sessions" is broken for demo/cleo: expected at most 100 sessions that wait, found one more"#;
    assert_eq!(with_many_sessions(&[&one, &two]), full);
    let ended = parked("m-7");
    assert_eq!(with_many_sessions(&[&ended, &one, &two]), "none");
    let again = parked("m-7");
    let over = r#"0-18-109: the rule "sessions" is broken for demo/cleo: expected a session that was opened, found one that is over"#;
    assert_eq!(with_many_sessions(&[&ended, &one, &two, &again]), over);
    assert!(with_many_sessions(&[&ended, &one, &two, &three]).contains("at most 100 sessions"));
    // Forgotten, not lost: it waits again when it is paid after all, and beside the hundred.
    let late = r#"{"U":{"a":0,"i":"m-7","s":2,"w":1,"r":5,"c":5}}"#;
    assert_eq!(with_many_sessions(&[&ended, &one, &two, late]), "none");
    assert!(with_many_sessions(&[&ended, &one, &two, late, late]).contains("found one that waits"));
    assert!(with_many_sessions(&[&ended, &one, &two, &opened("m-7")]).contains("m-7 once more"));
}
