//! What is never shown.

use locus::build::Variables;
use locus::pay::NewSession;
use locus::{Error, Secret};

use crate::mail::{key, letter};
use crate::server::{Server, answer};
use crate::{LOCUS_KEY, MAIL_KEY, build, mail, pay};

/// Every secret there is here, and one a container keeps.
const SECRETS: [&str; 6] = [
    LOCUS_KEY,
    MAIL_KEY,
    "opaque-token-1",
    "whsec_0123456789",
    "eyJhbGciOiJub25lIn0.eyJzdWIiOjF9.sig",
    "hunter2",
];

fn hides(error: &Error) {
    let shown = format!("{error} {error:?} {error:#?}");
    for secret in SECRETS {
        let value = secret.rsplit('_').next().unwrap_or(secret);
        assert!(!shown.contains(value), "{secret} in {shown}");
    }
}

/// A service that says back what it was told, and more.
fn echo(token: &str) -> String {
    let sent = [LOCUS_KEY, MAIL_KEY, SECRETS[3], SECRETS[4], token].join(" and ");
    format!(r#"{{"success":false,"error":"you sent {sent}","clientSecret":"hunter2"}}"#)
}

#[tokio::test]
async fn no_error_shows_a_secret() {
    for status in [200, 202, 400, 401, 403, 404, 409, 429, 500, 502] {
        let session = NewSession::new(ledger_core::Usdc::from_credits(1));
        let server = Server::says(status, &echo("none")).await;
        hides(&pay(&server).create_session(&session).await.unwrap_err());
        hides(&mail(&server).send(MAIL_KEY, &letter(), &key()).await.unwrap_err());
        hides(&build(&server).projects(1, 0).await.unwrap_err());
        let server = Server::with_token(&[answer(status, &echo("opaque-token-1"))]).await;
        hides(&build(&server).service(LOCUS_KEY).await.unwrap_err());
    }
}

#[tokio::test]
async fn no_error_shows_a_variable() {
    let variables = Variables::from([("PASSPHRASE".to_owned(), Secret::new("hunter2"))]);
    for status in [200, 400, 500] {
        let server =
            Server::with_token(&[answer(status, r#"{"error":"bad","vars":{"PASSPHRASE":"hunter2"}}"#)]).await;
        hides(&build(&server).merge_variables("s", &variables).await.unwrap_err());
        let odd = answer(status, r#"{"variables":["hunter2"]}"#);
        hides(
            &build(&Server::with_token(&[odd]).await).replace_variables("s", &variables).await.unwrap_err(),
        );
    }
}

#[tokio::test]
async fn no_client_shows_its_key() {
    let server = Server::says(200, "{}").await;
    let shown = format!("{:?} {:?} {:?}", pay(&server), build(&server), mail(&server));
    assert!(shown.contains("claw_…") && shown.contains("am_…"), "{shown}");
    assert!(!shown.contains("0123456789"), "{shown}");
}

#[tokio::test]
async fn a_session_does_not_show_its_secret() {
    let body = r#"{"success":true,"data":{"id":"s","webhookSecret":"whsec_0123456789"}}"#;
    let session = pay(&Server::says(200, body).await).session("s").await.unwrap();
    assert!(format!("{session:?}").contains("whsec_…") && !format!("{session:?}").contains("0123456789"));
}
