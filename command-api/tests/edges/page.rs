//! The page for people: who may look, what is shown, and that it follows what happens.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream, to_bytes};
use axum::http::{HeaderMap, Request};
use command_api::edge::auth::{ApiKeyConfig, Keyring, generate_key};
use command_api::edge::{EdgeState, House, http};
use command_api::vault::Vault;
use futures::StreamExt as _;
use ledger_core::AppId;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::world::World;

/// How many may watch at once.
const WATCHERS: usize = 32;

/// An answer whose body is no JSON.
#[derive(Debug)]
struct Page {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Page {
    fn has(&self, text: &str) -> bool {
        self.text.contains(text)
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

async fn world() -> World {
    let vault = Some(Vault::new(&"1".repeat(64)).unwrap());
    World::with_house(House { vault, ..House::default() }).await
}

async fn send(world: &World, request: Request<Body>) -> Page {
    let (parts, body) = world.router.clone().oneshot(request).await.unwrap().into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    Page { status: parts.status.as_u16(), headers: parts.headers, text }
}

async fn get(world: &World, path: &str, cookie: &str) -> Page {
    send(world, Request::builder().uri(path).header("cookie", cookie).body(Body::empty()).unwrap()).await
}

async fn login(world: &World, key: &str) -> Page {
    let request = Request::builder().method("POST").uri("/login").header("sec-fetch-site", "same-origin");
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    send(world, request.body(Body::from(format!("key={key}"))).unwrap()).await
}

/// The cookie that this key is given.
async fn cookie(world: &World, key: &str) -> String {
    let page = login(world, key).await;
    assert_eq!((page.status, page.header("location")), (303, "/"), "{page:?}");
    page.header("set-cookie").split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn who_has_shown_no_key_gets_the_form_and_nothing_else() {
    let world = world().await;
    world.open("anna", "1").await;
    let mine = cookie(&world, &world.key).await;
    for cookie in ["", "drip_page=", "drip_page=x", &format!("{mine}x"), &mine.replace('.', ".1"), "other=1"]
    {
        let page = get(&world, "/?user=anna", cookie).await;
        assert_eq!(page.status, 200);
        assert!(page.has("action=\"/login\"") && page.has("type=\"password\""), "{page:?}");
        assert!(!page.has("anna"), "{cookie}: {page:?}");
        assert_eq!(get(&world, "/events", cookie).await.status, 401);
    }
    for key in ["", "drip_demo_x", "dript_x", &format!("{}x", world.key)] {
        let page = login(&world, key).await;
        assert_eq!((page.status, page.header("set-cookie")), (401, ""), "{page:?}");
        assert!(page.has("not known here") && page.has("action=\"/login\""));
    }
    assert_eq!(get(&world, "/login?key=x", "").await.status, 405);
    world.get("/?key=x").await.is_problem(422, "unknown_field", Some("key"));
}

#[tokio::test]
async fn a_cookie_is_kept_from_scripts_and_other_sites_and_opens_the_page_alone() {
    let world = world().await;
    let page = login(&world, &world.key).await;
    let set = page.header("set-cookie");
    for part in ["drip_page=dripp_", "HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
        assert!(set.contains(part), "{set}");
    }
    assert!(!set.contains(&world.key) && !set.contains("Secure"), "{set}");
    let mine = cookie(&world, &world.key).await;
    let by_cookie = Request::builder().uri("/v1/users").header("cookie", &mine);
    world.send(by_cookie.body(Body::empty()).unwrap()).await.is_problem(401, "unauthorized", None);
    let pass = mine.split_once('=').unwrap().1;
    world.with_key(pass, "GET", "/v1/users", "").await.is_problem(401, "unauthorized", None);
    for path in ["/login", "/logout"] {
        let from = Request::builder().method("POST").uri(path).header("sec-fetch-site", "cross-site");
        let body = Body::from(format!("key={}", world.key));
        world.send(from.body(body).unwrap()).await.is_problem(403, "forbidden", None);
    }
    let out =
        send(&world, Request::builder().method("POST").uri("/logout").body(Body::empty()).unwrap()).await;
    assert!(
        out.status == 303 && out.header("set-cookie").contains("drip_page=; Path=/; Max-Age=0"),
        "{out:?}"
    );
}

#[tokio::test]
async fn the_page_runs_its_own_script_and_is_kept_nowhere() {
    let world = world().await;
    let mine = cookie(&world, &world.key).await;
    let pages = [get(&world, "/", "").await, get(&world, "/", &mine).await];
    let nonces: Vec<_> = pages
        .iter()
        .map(|page| {
            let policy = page.header("content-security-policy");
            assert!(
                policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
                "{policy}"
            );
            assert!(!policy.contains("unsafe"), "{policy}");
            for (name, value) in [
                ("referrer-policy", "no-referrer"),
                ("x-content-type-options", "nosniff"),
                ("x-frame-options", "DENY"),
                ("cache-control", "no-store"),
                ("content-type", "text/html; charset=utf-8"),
            ] {
                assert_eq!(page.header(name), value);
            }
            let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap().to_owned();
            assert!(page.has(&format!("<style nonce=\"{nonce}\">")));
            assert_eq!(
                page.text.matches("<script").count(),
                page.text.matches(&format!("<script nonce=\"{nonce}\">")).count()
            );
            nonce
        })
        .collect();
    assert_ne!(nonces[0], nonces[1]);
    let problem = get(&world, "/events", "").await;
    assert_eq!((problem.status, problem.header("cache-control")), (401, "no-store"));
}

#[tokio::test]
async fn accounts_log_and_journal_are_shown_and_escaped() {
    let world = world().await;
    world.open("anna", "1").await;
    let evil = "<script>alert('x')</script>\"&";
    world.open(evil, "2").await;
    world.put("/v1/users/anna/container", r#"{"image":"<b>:1"}"#).await.is(200, &[]);
    world.post("/v1/users/anna/debits", r#"{"amount":"0.9","meter":"<i>"}"#).await.is(200, &[]);
    world.get("/v1/users/anna/notices").await.is(200, &[]);
    world.get("/v1/sources/x").await.is_problem(404, "not_found", None);
    let mine = cookie(&world, &world.key).await;
    let page = get(&world, "/?user=anna", &mine).await;
    for text in [
        "Drip: demo",
        "<td class=\"number\">0.1</td><td class=\"low\">low</td>",
        "<td class=\"provisioning\">provisioning</td><td>absent</td>",
        "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;</a>",
        "href=\"/?user=%3Cscript%3Ealert%28%27x%27%29%3C%2Fscript%3E%22%26\"",
        "low credit: 0.1 USDC of 1 USDC left",
        "container is to run &lt;b&gt;:1",
        "Journal of anna",
        "<td>debited</td><td class=\"number\">-0.9</td>",
        "&lt;i&gt;",
    ] {
        assert!(page.has(text), "{text} in {}", page.text);
    }
    assert!(!page.has("<script>alert") && !page.has("<b>:1") && !page.has("<i>"));
    let nobody = get(&world, "/?user=%3Cb%3E", &mine).await;
    assert!(nobody.has("Journal of &lt;b&gt;") && nobody.has("There is no such user"));
    let none = get(&world, "/?user=%24fee", &mine).await;
    assert!(none.has("Journal of $fee") && none.has("There is no such user"), "{none:?}");
    // Another app sees its own only.
    let other = get(&world, "/?user=anna", &cookie(&world, &world.other_key).await).await;
    assert!(other.has("Drip: other") && other.has("There are none.") && other.has("There is no such user"));
    assert!(!other.has("low credit"));
}

#[tokio::test]
async fn many_accounts_are_shown_in_pieces() {
    let world = world().await;
    for number in 0..101 {
        world.open(&format!("user {number:03}"), "1").await;
    }
    world.get("/v1/sources/x").await.is_problem(404, "not_found", None);
    let mine = cookie(&world, &world.key).await;
    let first = get(&world, "/", &mine).await;
    assert!(first.has("user 099</a>") && !first.has("user 100</a>"));
    assert!(first.has("<a href=\"/?after=user%20099\">More</a>"), "{}", first.text);
    let second = get(&world, "/?after=user%20099", &mine).await;
    assert!(!second.has("user 099</a>") && second.has("user 100</a>") && !second.has("More</a>"));
}

#[tokio::test]
async fn without_a_key_of_the_house_the_page_says_so() {
    let world = World::start().await;
    let page = get(&world, "/", "").await;
    assert!(page.status == 200 && page.has("DRIP_SECRET_KEY") && !page.has("<form"), "{page:?}");
    let refused = login(&world, &world.key).await;
    assert_eq!((refused.status, refused.header("set-cookie")), (501, ""));
}

#[tokio::test]
async fn a_key_that_is_taken_away_takes_its_passes_along() {
    let mut world = world().await;
    let mine = cookie(&world, &world.key).await;
    assert!(get(&world, "/", &mine).await.has("Drip: demo"));
    let app = AppId::new("demo").unwrap();
    let (_, sha256) = generate_key(&app);
    let keyring = Keyring::new(&[ApiKeyConfig { app, name: "dev".into(), sha256 }]).unwrap();
    world.router = http::router(EdgeState { keyring: Arc::new(keyring), ..world.state.clone() });
    assert!(get(&world, "/", &mine).await.has("action=\"/login\""));
}

/// What one who watches is told.
struct Watching(BodyDataStream, String);

impl Watching {
    async fn begin(world: &World, path: &str, cookie: &str) -> Self {
        let request = Request::builder().uri(path).header("cookie", cookie).body(Body::empty()).unwrap();
        let response = world.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self(response.into_body().into_data_stream(), String::new())
    }

    /// Reads until an event holds this text, and gives it.
    async fn until(&mut self, text: &str) -> String {
        let reading = async {
            loop {
                while let Some((event, rest)) = self.1.split_once("\n\n") {
                    let event = event.to_owned();
                    self.1 = rest.to_owned();
                    if event.contains(text) {
                        return event;
                    }
                }
                let bytes = self.0.next().await.expect("it goes on").unwrap();
                self.1.push_str(std::str::from_utf8(&bytes).unwrap());
            }
        };
        tokio::time::timeout(Duration::from_secs(15), reading).await.expect("the event must come")
    }
}

#[tokio::test]
async fn who_watches_is_told_what_changes() {
    let world = world().await;
    world.open("anna", "1").await;
    let place = world.get("/v1/log").await.text("/last_id");
    let mine = cookie(&world, &world.key).await;
    assert_eq!(get(&world, "/events?after_id=x", &mine).await.status, 400);
    let mut watching = Watching::begin(&world, &format!("/events?user=anna&after_id={place}"), &mine).await;
    watching.until("anna").await;
    world.post("/v1/users/anna/debits", r#"{"amount":"0.25","meter":"<i>"}"#).await.is(200, &[]);
    let journal = watching.until("-0.25").await;
    assert!(journal.starts_with("event: journal\n") && journal.contains("&lt;i&gt;"), "{journal}");
    world.post("/v1/users/anna/debits", r#"{"amount":"0.75"}"#).await.is(200, &[]);
    let log = watching.until("balance depleted").await;
    assert!(log.starts_with("event: log\n") && log.contains("\nid: 31"), "{log}");
    // Who comes back after a break goes on behind what was seen last.
    let seen = log.lines().find_map(|line| line.strip_prefix("id: ")).unwrap();
    world.open("bob", "7").await;
    let request = Request::builder().uri("/events").header("cookie", &mine).header("last-event-id", seen);
    let response = world.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let mut again = Watching(response.into_body().into_data_stream(), String::new());
    let log = again.until("event: log").await;
    assert!(log.contains("bob") && !log.contains("depleted"), "{log}");
}

#[tokio::test]
async fn so_many_watch_at_once_and_the_next_when_one_has_left() {
    let world = world().await;
    let mine = cookie(&world, &world.key).await;
    let mut watching = Vec::new();
    for _ in 0..WATCHERS {
        watching.push(Watching::begin(&world, "/events", &mine).await);
    }
    let full = get(&world, "/events", &mine).await;
    assert_eq!((full.status, full.header("retry-after")), (503, "1"), "{full:?}");
    assert!(get(&world, "/", &mine).await.has("Drip: demo"));
    watching.pop();
    Watching::begin(&world, "/events", &mine).await;
}

#[tokio::test]
async fn who_watches_does_not_hold_up_a_stop() {
    let world = world().await;
    let mine = cookie(&world, &world.key).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let serving = http::serve(listener, world.state.clone(), stop.clone());
    let watching = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET /events HTTP/1.1\r\nHost: drip\r\nCookie: {mine}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let (mut text, mut part) = (String::new(), [0; 4096]);
        while !text.contains("event: accounts") {
            let read = stream.read(&mut part).await.unwrap();
            text.push_str(std::str::from_utf8(&part[..read]).unwrap());
        }
        stop.cancel();
        // The answer ends in order: with its last, empty piece.
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.unwrap();
        assert!(rest.ends_with("0\r\n\r\n"), "{rest}");
    };
    let both = async { tokio::join!(serving, watching) };
    let (served, ()) = tokio::time::timeout(Duration::from_secs(4), both).await.expect("it must stop");
    served.unwrap();
}
