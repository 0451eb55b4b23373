//! Calls against a server that misbehaves on purpose: what is sent again, with what, and what the caller is told.

#![expect(clippy::unwrap_used, reason = "the helpers of tests, which clippy does not take for tests")]

use std::time::{Duration, Instant};

use drip_client::{
    CheckoutState, Client, ContainerSettings, Debit, Error, MoneyIn, NewCheckout, Resolution, SourceBatch,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const KEY: &str = "drip_demo_secret-secret";
const RECEIPT: &str = r#"{"user_id":"anna","key":"k","amount":"0.007","balance":"0.993","available":"0.993",
    "level":"healthy","position":"0-3-1","duplicate":false,"a_newer_field":1}"#;

/// What the server does with one request.
enum Act {
    Answer(u16, &'static str, String),
    Cut,
    Hang,
}

fn answer(status: u16, body: &str) -> Act {
    Act::Answer(status, "", body.to_owned())
}

fn refuse(status: u16, code: &str) -> Act {
    answer(status, &format!(r#"{{"code":"{code}","detail":"a sentence","status":{status}}}"#))
}

/// Runs the call against a server that takes one connection an act, and gives back what the server read.
async fn against<T>(acts: Vec<Act>, call: impl AsyncFnOnce(Client) -> T) -> (T, Vec<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let client = Client::new(&url, KEY).unwrap().with_deadline(Duration::from_secs(3));
    let mut requests = Vec::new();
    let serve = async {
        for act in acts {
            let (mut stream, _) = listener.accept().await.unwrap();
            requests.push(read_request(&mut stream).await);
            match act {
                Act::Answer(status, headers, body) => {
                    let text = format!(
                        "HTTP/1.1 {status} X\r\n{headers}connection: close\r\ncontent-length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    stream.write_all(text.as_bytes()).await.unwrap();
                }
                Act::Cut => drop(stream),
                Act::Hang => std::future::pending().await,
            }
        }
        std::future::pending::<()>().await;
    };
    let result = tokio::select! {
        result = call(client) => result,
        () = serve => unreachable!("the server never ends by itself"),
    };
    (result, requests)
}

async fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = header(head, "content-length").map_or(0, |text| text.parse().unwrap());
            if body.len() >= length {
                return text.into_owned();
            }
        }
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "the request ended early");
    }
}

fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = request.lines().filter_map(|line| line.split_once(": "));
    pairs.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

fn body(request: &str) -> serde_json::Value {
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}

fn debit() -> Debit {
    Debit::amount("0.007".parse().unwrap()).meter("search")
}

#[tokio::test]
async fn a_call_that_is_sent_again_keeps_its_key_and_its_deadline() {
    let acts = vec![refuse(503, "overloaded"), Act::Cut, refuse(429, "busy"), answer(200, RECEIPT)];
    let (result, requests) = against(acts, async |client| client.debit("anna", &debit()).await).await;
    let receipt = result.unwrap();
    assert_eq!((receipt.balance.to_string().as_str(), receipt.duplicate), ("0.993", false));
    assert_eq!(requests.len(), 4);
    let same = |request: &String| {
        (body(request)["key"].clone(), header(request, "drip-deadline").unwrap().to_owned())
    };
    assert!(requests.iter().all(|request| same(request) == same(&requests[0])));
    assert_eq!(body(&requests[0])["key"].as_str().unwrap().len(), 36);
    assert_eq!(header(&requests[0], "authorization"), Some("Bearer drip_demo_secret-secret"));
    assert_eq!(body(&requests[0])["amount"], "0.007");
}

#[tokio::test]
async fn a_server_that_hangs_leaves_the_outcome_unknown_in_time() {
    let began = Instant::now();
    let call = async |client: Client| {
        client.with_deadline(Duration::from_millis(300)).debit("anna", &debit().key("mine")).await
    };
    let (result, _) = against(vec![Act::Hang], call).await;
    assert!(matches!(result, Err(Error::OutcomeUnknown { key: Some(key), .. }) if key == "mine"));
    assert!((Duration::from_millis(290)..Duration::from_secs(2)).contains(&began.elapsed()));
}

/// The key was withdrawn between two attempts: who stands at the door does not know what became of the first.
#[tokio::test]
async fn a_doubt_is_not_taken_back_by_a_refusal_at_the_door() {
    let refusals: [(fn() -> Act, bool); 3] = [
        (|| refuse(401, "unauthorized"), true),
        (|| refuse(403, "app_mismatch"), true),
        // The ledger has looked at the key.
        (|| refuse(402, "insufficient_credit"), false),
    ];
    for (refusal, doubt) in refusals {
        for (acts, unknown) in [(vec![Act::Cut, refusal()], doubt), (vec![refusal()], false)] {
            let (result, _) = against(acts, async |client| client.debit("anna", &debit()).await).await;
            let rejected = matches!(result, Err(Error::Rejected(_)));
            assert_eq!((matches!(result, Err(Error::OutcomeUnknown { .. })), rejected), (unknown, !unknown));
        }
    }
}

#[tokio::test]
async fn a_doubt_is_not_taken_back_by_a_later_no_answer() {
    let later: [fn() -> Act; 3] =
        [|| refuse(408, "deadline_passed"), || refuse(504, "outcome_unknown"), || refuse(503, "unavailable")];
    for act in later {
        let call = async |client: Client| {
            client.with_deadline(Duration::from_millis(400)).debit("anna", &debit()).await
        };
        let acts = std::iter::once(Act::Cut).chain(std::iter::repeat_with(act).take(20)).collect();
        let (result, requests) = against(acts, call).await;
        assert!(matches!(result, Err(Error::OutcomeUnknown { .. })), "{result:?}");
        assert!(requests.len() > 1);
    }
}

#[tokio::test]
async fn only_drips_own_word_takes_for_not_done_what_was_sent() {
    let acts: [(fn() -> Act, bool); 9] = [
        (|| refuse(503, "overloaded"), false),
        (|| refuse(503, "unavailable"), false),
        (|| refuse(503, "some_gateway"), true),
        (|| answer(503, "<html>upstream reset</html>"), true),
        (|| answer(503, ""), true),
        (|| answer(502, "<html>"), true),
        (|| refuse(502, "unavailable"), true),
        (|| refuse(502, "upstream_failed"), false),
        (|| refuse(429, "overloaded"), true),
    ];
    for (act, doubt) in acts {
        let call = async |client: Client| {
            client.with_deadline(Duration::from_millis(200)).debit("anna", &debit().key("mine")).await
        };
        let (result, requests) = against(std::iter::repeat_with(act).take(20).collect(), call).await;
        let unknown = matches!(&result, Err(Error::OutcomeUnknown { key: Some(key), .. }) if key == "mine");
        let unavailable = matches!(&result, Err(Error::Unavailable { .. }));
        assert_eq!((unknown, unavailable), (doubt, !doubt), "{}: {result:?}", requests[0]);
    }
}

#[tokio::test]
async fn a_refused_connection_means_nothing_was_done() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let client = Client::new(&format!("http://127.0.0.1:{port}"), KEY).unwrap();
    let client = client.with_deadline(Duration::from_millis(300));
    let error = client.debit("anna", &debit()).await.unwrap_err();
    assert!(matches!(&error, Error::Unavailable { reason, .. } if reason.contains("refused")), "{error:?}");
}

#[tokio::test]
async fn retry_after_is_waited_for_or_given_up_at_once() {
    let busy = || r#"{"code":"overloaded","detail":"a sentence"}"#.to_owned();
    let wait = |seconds| vec![Act::Answer(503, seconds, busy()), answer(200, RECEIPT)];
    let began = Instant::now();
    let (result, _) =
        against(wait("retry-after: 1\r\n"), async |client| client.debit("anna", &debit()).await).await;
    assert!(result.is_ok() && began.elapsed() >= Duration::from_secs(1));
    let began = Instant::now();
    let (result, requests) =
        against(wait("retry-after: 60\r\n"), async |client| client.debit("anna", &debit()).await).await;
    assert!(matches!(result, Err(Error::Unavailable { .. })) && began.elapsed() < Duration::from_secs(1));
    assert_eq!(requests.len(), 1);
}

#[tokio::test]
async fn a_no_is_answered_as_it_is_and_not_asked_again() {
    let problem = r#"{"type":"/docs/problems#insufficient_credit","title":"t","status":402,"detail":"not enough",
        "code":"insufficient_credit","needed":"0.007","available":"0.001","shortfall":"0.006"}"#;
    let (result, _) =
        against(vec![answer(402, problem)], async |client| client.debit("anna", &debit()).await).await;
    let Err(Error::Rejected(problem)) = result else { panic!("{result:?}") };
    assert_eq!((problem.status, problem.shortfall.unwrap().to_string().as_str()), (402, "0.006"));
    assert_eq!(problem.to_string(), "not enough (insufficient_credit)");
}

#[tokio::test]
async fn what_is_not_drip_is_told_as_such() {
    for act in [answer(200, "<html>"), answer(404, "<html>"), answer(302, "")] {
        let (result, _) = against(vec![act], async |client| client.account("anna", true).await).await;
        assert!(matches!(result, Err(Error::Protocol { .. })), "{result:?}");
    }
}

#[tokio::test]
async fn a_read_without_an_answer_leaves_no_doubt() {
    let call =
        async |client: Client| client.with_deadline(Duration::from_millis(200)).account("anna", false).await;
    let (result, _) = against(vec![Act::Hang], call).await;
    assert!(matches!(result, Err(Error::Unavailable { .. })), "{result:?}");
}

#[tokio::test]
async fn user_ids_of_any_text_stand_whole_in_the_path() {
    let user = "a/b c{d}%41?#é";
    let (_, requests) =
        against(vec![refuse(404, "account_unknown")], async |client| client.account(user, true).await).await;
    let line = requests[0].lines().next().unwrap();
    assert_eq!(line, "GET /v1/users/a%2Fb%20c%7Bd%7D%2541%3F%23%C3%A9?expand=lots HTTP/1.1");
    let client = Client::new("http://127.0.0.1:1", KEY).unwrap();
    for user in [".", "..", ""] {
        assert!(matches!(client.account(user, false).await, Err(Error::Invalid(_))), "{user}");
    }
}

#[tokio::test]
async fn bodies_are_what_the_api_says() {
    let batch = SourceBatch {
        source: "calls.csv".into(),
        from: 3,
        to: 4,
        digest: Some("ab".into()),
        last: true,
        grant_missing: Some("50".parse().unwrap()),
        debits: vec![drip_client::SourceDebit { number: 4, user_id: "anna".into(), debit: debit() }],
    };
    let answered = r#"{"source":"calls.csv","from":3,"to":4,"digest":"cd","charged":1,"declined":0,"skipped":0,
        "opened":1,"amount":"0.007","positions":{"0":"0-3-1"}}"#;
    let (result, requests) =
        against(vec![answer(200, answered)], async |client| client.source_batch(&batch).await).await;
    assert_eq!(result.unwrap().digest, "cd");
    let wanted = serde_json::json!({"source": "calls.csv", "from": 3, "to": 4, "digest": "ab", "last": true,
        "grant_missing": "50",
        "debits": [{"number": 4, "user_id": "anna", "amount": "0.007", "meter": "search"}]});
    assert_eq!(body(&requests[0]), wanted);
    let money = MoneyIn::new("5".parse().unwrap(), "invoice-1");
    let (_, requests) =
        against(vec![answer(200, RECEIPT)], async |client| client.deposit("anna", &money).await).await;
    assert!(requests[0].starts_with("POST /v1/users/anna/deposits "));
    assert_eq!(body(&requests[0]), serde_json::json!({"amount": "5", "key": "invoice-1"}));
}

#[test]
fn a_client_never_shows_its_key() {
    let client = Client::new("http://127.0.0.1:1", KEY).unwrap();
    assert!(!format!("{client:?}").contains("secret-secret"));
    assert!(Client::new("127.0.0.1:8377", KEY).is_err());
    let error = Client::new("http://127.0.0.1:1", "drip_demo_\nsecret-secret").unwrap_err();
    assert!(!error.to_string().contains("secret-secret"));
}

#[tokio::test]
async fn what_a_server_was_not_set_up_for_is_not_asked_again() {
    let acts = vec![refuse(501, "not_configured"), answer(200, RECEIPT)];
    let five = NewCheckout::new("5".parse().unwrap());
    let (result, requests) = against(acts, async |client| client.open_checkout("anna", &five).await).await;
    assert!(
        matches!(&result, Err(Error::Rejected(problem)) if problem.code == "not_configured"),
        "{result:?}"
    );
    assert_eq!(requests.len(), 1);
}

#[tokio::test]
async fn a_session_that_is_asked_for_again_has_the_same_key_and_words_of_a_newer_server_are_read() {
    let session = r#"{"id":"s 1","user_id":"anna","amount":"5","url":"https://pay.example/s","state":"refunded",
        "expires_at":"2026-11-27T18:00:00Z"}"#;
    let acts = vec![refuse(502, "upstream_failed"), Act::Cut, answer(201, session)];
    let five = NewCheckout::new("5".parse().unwrap());
    let (result, requests) = against(acts, async |client| client.open_checkout("anna", &five).await).await;
    assert_eq!(result.unwrap().state, CheckoutState::Other("refunded".to_owned()));
    assert!(requests[0].starts_with("POST /v1/users/anna/checkout-sessions HTTP"), "{}", requests[0]);
    assert!(body(&requests[0])["key"].is_string());
    assert!(requests.iter().all(|request| body(request) == body(&requests[0])));
}

#[tokio::test]
async fn each_verb_of_the_upkeep_goes_to_its_path() {
    let account = r#"{"user_id":"a/b","balance":"1","available":"1","baseline":"1","level":"healthy",
        "status":"provisioning","epoch":1,"position":"0-3-1","changed":true,
        "container":{"phase":"creating","operation":"provision","attempts":0}}"#;
    let acts = ["{\"data\":[]}", account, account, account, "{\"data\":[],\"last_id\":\"x\"}"];
    let acts = acts.map(|body| answer(200, body)).into_iter().collect();
    let ((), requests) = against(acts, async |client| {
        client.checkouts_waiting(CheckoutState::Pending).await.unwrap();
        let settings = ContainerSettings::new("nginx:1").variable("A", "b");
        let set = client.set_container("a/b", &settings).await.unwrap();
        assert_eq!(set.container.unwrap().operation.as_deref(), Some("provision"));
        client.restore("a/b", true).await.unwrap();
        client.hibernate("a/b").await.unwrap();
        assert_eq!(client.log(Some("31"), Some(7)).await.unwrap().last_id, "x");
    })
    .await;
    let lines: Vec<_> = requests.iter().map(|request| request.lines().next().unwrap()).collect();
    assert_eq!(
        lines,
        [
            "GET /v1/checkout-sessions?state=pending HTTP/1.1",
            "PUT /v1/users/a%2Fb/container HTTP/1.1",
            "POST /v1/users/a%2Fb/restore HTTP/1.1",
            "POST /v1/users/a%2Fb/hibernate HTTP/1.1",
            "GET /v1/log?after_id=31&limit=7 HTTP/1.1",
        ]
    );
    let set = body(&requests[1]);
    assert_eq!((&set["image"], &set["variables"]["A"]), (&"nginx:1".into(), &"b".into()));
    assert!(set["key"].is_string());
    assert_eq!(body(&requests[2])["force"], true);
}

#[tokio::test]
async fn a_person_decides_for_an_amount_or_for_nothing() {
    let refusals = vec![refuse(404, "checkout_unknown"), refuse(404, "checkout_unknown")];
    let ((), requests) = against(refusals, async |client| {
        for resolution in [Resolution::Credit("4.5".parse().unwrap()), Resolution::Dismiss] {
            assert!(client.resolve_checkout("s 1", resolution).await.is_err());
        }
    })
    .await;
    assert!(requests[0].starts_with("POST /v1/checkout-sessions/s%201/resolve HTTP"), "{}", requests[0]);
    assert_eq!(body(&requests[0]), serde_json::json!({ "credit": "4.5" }));
    assert_eq!(body(&requests[1]), serde_json::json!({ "dismiss": true }));
}
