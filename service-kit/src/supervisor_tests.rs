use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::time::{Instant, sleep};

use super::*;

const GRACE: Duration = Duration::from_secs(10);

async fn until_stopped(token: CancellationToken) -> Result<(), Infallible> {
    token.cancelled().await;
    Ok(())
}

/// How the process ends, which it must do within an hour of the stopped clock.
async fn end_of(supervisor: &Supervisor) -> Result<(), StopReason> {
    let hour = Duration::from_secs(3600);
    tokio::time::timeout(hour, supervisor.run_until_stopped()).await.expect("it stops within the hour")
}

/// What a process ends with whose one well-behaved task runs next to the given one.
async fn stopped_by<F>(task: F) -> StopReason
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let supervisor = Supervisor::new(GRACE);
    supervisor.spawn("good", until_stopped(supervisor.token()));
    supervisor.spawn("bad", task);
    end_of(&supervisor).await.expect_err("the bad task stops the process")
}

#[tokio::test(start_paused = true)]
async fn a_task_that_fails_stops_the_process_and_is_the_reason() {
    let reason = stopped_by(async { Err(io::Error::other("disk full")) }).await;
    assert_eq!(reason.to_string(), "the task \"bad\" failed");
    assert_eq!(reason.source().unwrap().to_string(), "disk full");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_ends_early_stops_the_process() {
    let reason = stopped_by(async { Ok(()) }).await;
    assert_eq!(reason.to_string(), "the task \"bad\" ended although nothing had asked it to stop");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_panics_stops_the_process_with_its_words() {
    let reason = stopped_by(async { panic!("balance was {}", -1) }).await;
    assert_eq!(reason.to_string(), "the task \"bad\" panicked: balance was -1");
    let reason = stopped_by(async { panic!("plain") }).await;
    assert_eq!(reason.to_string(), "the task \"bad\" panicked: plain");
}

#[tokio::test(start_paused = true)]
async fn a_job_may_end_but_not_fail() {
    let supervisor = Supervisor::new(GRACE);
    supervisor.spawn("good", until_stopped(supervisor.token()));
    supervisor.spawn_job("answer", async { Ok::<(), Infallible>(()) });
    let running = tokio::time::timeout(Duration::from_secs(3600), supervisor.run_until_stopped()).await;
    assert!(running.is_err(), "it still runs after an hour");
    supervisor.spawn_job("answer", async { Err("no") });
    let reason = end_of(&supervisor).await.unwrap_err();
    assert_eq!(reason.to_string(), "the task \"answer\" failed");
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_tasks_that_finish_in_time() {
    let supervisor = Supervisor::new(GRACE);
    let (token, done) = (supervisor.token(), Arc::new(AtomicBool::new(false)));
    let finished = done.clone();
    supervisor.spawn("flush", async move {
        token.cancelled().await;
        sleep(GRACE / 2).await;
        finished.store(true, Ordering::Relaxed);
        Ok::<(), Infallible>(())
    });
    supervisor.shutdown();
    assert!(end_of(&supervisor).await.is_ok());
    assert!(done.load(Ordering::Relaxed));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_does_not_stop_is_aborted_after_the_grace_time() {
    let supervisor = Supervisor::new(GRACE);
    supervisor.spawn("good", until_stopped(supervisor.token()));
    supervisor.spawn("stubborn", pending::<io::Result<()>>());
    supervisor.spawn("deaf", pending::<io::Result<()>>());
    let begin = Instant::now();
    supervisor.shutdown();
    let reason = end_of(&supervisor).await.unwrap_err();
    assert_eq!(begin.elapsed(), GRACE);
    let text = "still running when the stop was cut short (at the latest after 10s): deaf, stubborn";
    assert_eq!(reason.to_string(), text);
}

#[tokio::test(start_paused = true)]
async fn the_first_reason_is_told_also_when_others_follow() {
    let supervisor = Supervisor::new(GRACE);
    let token = supervisor.token();
    supervisor.spawn("second", async move {
        token.cancelled().await;
        Err("the connection is gone")
    });
    supervisor.spawn("stubborn", pending::<io::Result<()>>());
    supervisor.spawn("first", async { Err("the disk is full") });
    let reason = end_of(&supervisor).await.unwrap_err();
    assert_eq!(reason.to_string(), "the task \"first\" failed");
}

#[tokio::test(start_paused = true)]
async fn a_failure_while_stopping_is_told() {
    let supervisor = Supervisor::new(GRACE);
    let token = supervisor.token();
    supervisor.spawn("flush", async move {
        token.cancelled().await;
        Err("the last rows were not written")
    });
    supervisor.shutdown();
    let reason = end_of(&supervisor).await.unwrap_err();
    assert_eq!(reason.to_string(), "the task \"flush\" failed");
}

#[tokio::test(start_paused = true)]
async fn cancelling_a_token_from_outside_stops_nobody_else() {
    let supervisor = Supervisor::new(GRACE);
    supervisor.token().cancel();
    assert!(!supervisor.token().is_cancelled());
}
