//! A short run of the whole, in process: it begins, answers are right, and the log agrees with them. No figure is
//! looked at: a test machine has other things to do.

use std::path::PathBuf;
use std::time::Duration;

use bench::all::points;
use bench::engines::{LogKind, Views, Wanted};
use bench::ledger::{Plan, Via, run};
use bench::load::{Load, Rhythm};
use bench::target::Format;

fn plan(batch: usize, rhythms: Vec<Rhythm>) -> Plan {
    let (warm_up, time) = (Duration::from_millis(100), Duration::from_millis(500));
    Plan {
        via: Via::Embedded,
        running: None,
        wanted: Wanted {
            program: PathBuf::new(),
            log: LogKind::Sqlite,
            partitions: 2,
            projector: false,
            views: Views::Folder,
        },
        load: Load { accounts: 200, batch, rhythm: rhythms[0], warm_up, time },
        rhythms,
        rounds: 1,
        batches: Format::Json,
        baseline: false,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closed_and_open_loops_over_the_embedded_log_agree_with_it() {
    let plan = plan(1, vec![Rhythm::InFlight(16), Rhythm::Rate(200)]);
    let report = run(&plan, &|_| {}).await.unwrap();
    let books = report.books.expect("the log was its own");
    let paid: u64 = report.runs.iter().map(|run| run.tally.paid).sum();
    assert_eq!((books.accounts, books.debits), (200, paid));
    assert_eq!(report.runs.len(), 2);
    assert_eq!(report.per_second, report.runs[0].per_second);
    assert!(report.per_second > 0);
    // The open loop asked for exactly what it was told to.
    assert_eq!((report.runs[1].latency.count, report.runs[1].tally.paid), (100, 120));
    assert_eq!(points(&report).iter().map(|point| point.rate).collect::<Vec<_>>(), [200]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_are_debits_too() {
    let report = run(&plan(25, vec![Rhythm::InFlight(4)]), &|_| {}).await.unwrap();
    let (books, tally) = (report.books.expect("the log was its own"), &report.runs[0].tally);
    assert_eq!(books.debits, tally.paid);
    assert!(tally.paid > 0 && tally.paid % 25 == 0, "{tally:?}");
}
