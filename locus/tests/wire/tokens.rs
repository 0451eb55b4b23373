//! The token of BuildWithLocus: exchanged once, shared, renewed once.

use futures::future::join_all;

use locus::ErrorKind;
use locus::build::NewProject;

use crate::build;
use crate::server::{Reply, Seen, Server, answer};

const PROJECTS: &str = r#"{"projects":[],"total":0}"#;

fn is_exchange(seen: &Seen) -> bool {
    seen.line == "POST /v1/auth/exchange"
}

/// Gives the tokens t1, t2 and so on, and accepts those from `good` on.
async fn from_token(good: usize) -> Server {
    let mut given = 0;
    Server::with(move |seen| {
        if is_exchange(seen) {
            given += 1;
            return answer(200, &format!(r#"{{"token":"t{given}"}}"#));
        }
        let token = seen.header("authorization").trim_start_matches("Bearer t").parse::<usize>();
        answer(if token.is_ok_and(|token| token >= good) { 200 } else { 401 }, PROJECTS)
    })
    .await
}

fn exchanges(server: &Server) -> usize {
    server.seen().iter().filter(|seen| is_exchange(seen)).count()
}

#[tokio::test]
async fn a_token_is_kept_and_shared_by_clones() {
    let server = from_token(1).await;
    let client = build(&server);
    client.projects(10, 0).await.unwrap();
    client.clone().projects(10, 0).await.unwrap();
    assert_eq!(exchanges(&server), 1);
}

#[tokio::test]
async fn callers_at_the_same_time_share_one_exchange() {
    let server = from_token(1).await;
    let client = build(&server);
    let all = join_all((0..8).map(|_| client.projects(10, 0))).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!((exchanges(&server), server.lines().len()), (1, 9));
}

#[tokio::test]
async fn a_refused_token_is_exchanged_once_for_all_who_used_it() {
    let server = from_token(2).await;
    let client = build(&server);
    let all = join_all((0..8).map(|_| client.projects(10, 0))).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(exchanges(&server), 2);
}

#[tokio::test]
async fn a_creation_is_sent_again_after_its_token_was_refused() {
    let mut given = 0;
    let server = Server::with(move |seen| match (is_exchange(seen), seen.header("authorization")) {
        (true, _) => {
            given += 1;
            answer(200, &format!(r#"{{"jwt":"t{given}"}}"#))
        }
        (false, "Bearer t2") => answer(201, r#"{"id":"proj_1"}"#),
        _ => answer(401, r#"{"error":"token expired"}"#),
    })
    .await;
    assert_eq!(build(&server).create_project(&NewProject::default()).await.unwrap().id, "proj_1");
    assert_eq!(server.lines().len(), 4);
}

#[tokio::test]
async fn a_second_refusal_is_the_end() {
    let server = from_token(usize::MAX).await;
    let client = build(&server);
    let error = client.projects(10, 0).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (&ErrorKind::Auth, false));
    assert_eq!(
        (exchanges(&server), server.lines().len()),
        (2, 4),
        "exactly one more exchange, and one more call"
    );
}

#[tokio::test]
async fn a_wrong_key_is_refused_once_for_all_who_wait() {
    let server = Server::says(401, r#"{"error":"Invalid API key"}"#).await;
    let client = build(&server);
    let all = join_all((0..8).map(|_| client.projects(10, 0))).await;
    assert!(all.iter().all(|one| one.as_ref().is_err_and(|error| *error.kind() == ErrorKind::Auth)));
    assert_eq!(server.lines(), ["POST /v1/auth/exchange"]);
    let said = all[0].as_ref().unwrap_err().to_string();
    assert!(said.starts_with("POST /v1/auth/exchange: ") && said.contains("Invalid API key"), "{said}");
    // A later call asks anew: the key may have been put right meanwhile.
    assert!(client.projects(10, 0).await.is_err());
    assert_eq!(server.lines().len(), 2);
}

#[tokio::test]
async fn an_exchange_that_fails_leaves_no_doubt_about_the_call() {
    for trouble in [Reply::Lost, answer(500, ""), answer(200, r#"{"tokn":"opaque-token-9"}"#)] {
        let server = Server::replies(&[trouble]).await;
        let error = build(&server).create_project(&NewProject::default()).await.unwrap_err();
        assert!(!error.is_ambiguous(), "{error}");
        assert!(!format!("{error} {error:?}").contains("opaque-token-9"), "{error:?}");
        assert!(server.seen().iter().all(is_exchange));
    }
    let server =
        Server::replies(&[Reply::Lost, answer(200, r#"{"token":"t"}"#), answer(200, PROJECTS)]).await;
    build(&server).projects(10, 0).await.unwrap();
    assert_eq!(exchanges(&server), 2, "the exchange itself is repeated");
}
