//! Imports and servers are killed in the middle of an import: run again, every row is charged once.

use std::process::Stdio;

use tokio::process::Child;

use crate::audit::audit;
use crate::load::a_moment;
use crate::stack::{BOUND, Drip, Engines, Stack, on_both_engines, until};
use crate::usage_files::{excerpt, import, imported, rows_of, sums};

on_both_engines!(
    an_import_killed_again_and_again_charges_each_row_once,
    an_import_goes_on_when_its_server_is_killed,
);

const ROWS: usize = 6_000;
/// Small batches, so that there is a middle to be killed in.
const SMALL: [&str; 2] = ["--batch", "50"];

async fn an_import_killed_again_and_again_charges_each_row_once(engines: Engines) {
    let Stack { mut drip, nats: _nats, .. } = Stack::start(engines).await;
    let file = excerpt(&drip, "killed.csv", ROWS);
    let step = step(&file);
    let mut cut = 0;
    for round in 1..=4 {
        let mut running = start(&drip, &file);
        until(BOUND, "some rows are charged", async || (progress(&drip).await >= round * step).then_some(()))
            .await;
        a_moment(50).await;
        running.start_kill().expect("our own child can be killed");
        let status = running.wait().await.expect("our own child can be waited for");
        cut += u32::from(!status.success());
    }
    assert!(cut >= 2, "only {cut} of 4 imports were cut short: too fast to prove much");
    imported(&drip, &file, "50", &SMALL).await.expect(0);
    sums(&file, "50").await.assert_is(&audit(&drip).await, "killed.csv");
    drip.stop().await;
}

async fn an_import_goes_on_when_its_server_is_killed(engines: Engines) {
    let Stack { mut drip, nats: _nats, .. } = Stack::start(engines).await;
    let file = excerpt(&drip, "killed.csv", ROWS);
    let step = step(&file);
    let running = start(&drip, &file);
    for round in 1..=2 {
        until(BOUND, "some rows are charged", async || {
            (progress(&drip).await >= round * 2 * step).then_some(())
        })
        .await;
        a_moment(50).await;
        drip.kill();
        assert!(progress(&drip).await == 0, "a killed server answers");
        drip.restart().await;
    }
    let output = tokio::time::timeout(2 * BOUND, running.wait_with_output()).await.expect("the import ends");
    let output = output.expect("our own child can be waited for");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    sums(&file, "50").await.assert_is(&audit(&drip).await, "killed.csv");
    drip.stop().await;
}

fn start(drip: &Drip, file: &std::path::Path) -> Child {
    let mut command = tokio::process::Command::from(import(drip, file, "50", &SMALL));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    command.spawn().expect("the program is there")
}

/// After how many more rows the next kill comes: the last one in the first third of the file.
fn step(file: &std::path::Path) -> u64 {
    u64::try_from(rows_of(file) / 12).expect("a count fits")
}

/// How many rows were charged; 0 when nobody answers.
async fn progress(drip: &Drip) -> u64 {
    let request = drip.request(reqwest::Method::GET, "/v1/sources/killed.csv");
    let reply = crate::ask::try_send(request).await;
    reply.ok().and_then(|reply| reply.body["charged"].as_u64()).unwrap_or(0)
}
