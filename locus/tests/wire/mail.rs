//! What AgentMail is asked and how its answers are read.

use locus::mail::{IdempotencyKey, Letter, MessagesQuery, NewInbox};
use serde_json::json;

use crate::server::Server;
use crate::{MAIL_KEY, mail};

pub(crate) fn letter() -> Letter {
    let (to, subject) = (vec!["user@example.com".to_owned()], "Low credits".to_owned());
    Letter { to, subject, text: Some("text".to_owned()), ..Letter::default() }
}

pub(crate) fn key() -> IdempotencyKey {
    IdempotencyKey::parse("01J.event").expect("it is a key")
}

#[tokio::test]
async fn a_letter_is_sent_under_its_key() {
    let server = Server::says(200, r#"{"message_id":"<1@agentmail.to>","thread_id":"t-1"}"#).await;
    let sent = mail(&server).send("drip@agentmail.to", &letter(), &key()).await.unwrap();
    assert_eq!((sent.message_id.as_str(), sent.thread_id.as_deref()), ("<1@agentmail.to>", Some("t-1")));
    let call = server.only();
    assert_eq!(call.line, "POST /v0/inboxes/drip%40agentmail.to/messages/send");
    assert_eq!(call.header("idempotency-key"), "01J.event");
    assert_eq!(call.header("authorization"), format!("Bearer {MAIL_KEY}"));
    let wanted = json!({ "to": ["user@example.com"], "subject": "Low credits", "text": "text" });
    assert_eq!(call.json(), wanted);
}

#[tokio::test]
async fn an_inbox_is_created_under_a_name_of_ours() {
    let body = r#"{"pod_id":"p","inbox_id":"drip@agentmail.to","email":"drip@agentmail.to","client_id":"01J.event"}"#;
    let server = Server::says(200, body).await;
    let (username, domain, display_name) = (Some("drip".to_owned()), None, None);
    let new = NewInbox { username, domain, display_name, client_id: key() };
    assert_eq!(mail(&server).create_inbox(&new).await.unwrap().inbox_id, "drip@agentmail.to");
    assert_eq!(server.only().line, "POST /v0/inboxes");
    assert_eq!(server.only().json(), json!({ "username": "drip", "client_id": "01J.event" }));
}

#[tokio::test]
async fn mails_are_read_with_either_kind_of_sender() {
    let body = r#"{"count":2,"next_page_token":"n","messages":[
        {"message_id":"<1@x>","from":"A <a@x>","to":["u@x"],"labels":["sent"]},
        {"message_id":"<2@x>","from_":["b@x"],"subject":null,"size":3}]}"#;
    let server = Server::says(200, body).await;
    let query = MessagesQuery {
        limit: Some(2),
        labels: vec!["a".to_owned(), "b".to_owned()],
        ascending: true,
        ..MessagesQuery::default()
    };
    let page = mail(&server).messages("drip@agentmail.to", &query).await.unwrap();
    assert_eq!(
        (page.messages[0].from.as_slice(), page.messages[1].from.as_slice()),
        (["A <a@x>".to_owned()].as_slice(), ["b@x".to_owned()].as_slice())
    );
    assert_eq!(page.next_page_token.as_deref(), Some("n"));
    let query = "limit=2&ascending=true&labels=a&labels=b";
    assert_eq!(server.only().line, format!("GET /v0/inboxes/drip%40agentmail.to/messages?{query}"));

    let server = Server::says(200, r#"{"message_id":"<1@x>","text":"whole","extracted_text":"YES"}"#).await;
    let message = mail(&server).message("drip@agentmail.to", "<1@x>").await.unwrap();
    assert_eq!(message.extracted_text.as_deref(), Some("YES"));
    assert_eq!(server.only().line, "GET /v0/inboxes/drip%40agentmail.to/messages/%3C1%40x%3E");
}
