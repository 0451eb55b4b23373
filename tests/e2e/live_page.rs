//! The page for people in a real browser: it shows what happens while it happens, with scripts and without them, on a
//! phone too, and takes no user's text for HTML.

use serde_json::{Value, json};

use crate::browser::{Browser, Scripts};
use crate::loop_lab::{Lab, wait_for};
use crate::loop_users::User;

/// What a user may be called, a meter too, and what a provider may say of a failure.
const EVIL: &str = "<img src=x onerror=\"document.title='taken'\"> & <b>bold</b>";
/// How wide a narrow phone is.
const PHONE: u32 = 380;
/// All that stands on the page, as it is read: rows of cells, lines, and what stands in nobody's text.
const LOOK: &str = r##"
    const texts = (parent, what) => [...parent.querySelectorAll(what)].map((element) => element.innerText);
    const table = (what) => [...document.querySelectorAll(what + " tbody tr")].map((row) => texts(row, "td"));
    return {
        accounts: table("#accounts"), journal: table("#journal"), log: texts(document, "#log li"),
        titles: [document.title, ...texts(document, "h1, h2")],
        made: document.querySelectorAll("main img, td b, li b b, li b:not(:first-of-type)").length,
    };
"##;

#[tokio::test]
async fn a_person_sees_what_happens_while_it_happens() {
    let mut lab = Lab::up(None, &[]).await;
    let (anna, browser) = tokio::join!(anna_and_another(&lab), Browser::open(Scripts::On));
    log_in(&browser, &lab).await;
    is_shown(&browser, &["anna", "1", "healthy", "active", "running"]).await;
    is_shown(&browser, &[EVIL, "5", "healthy", "active", ""]).await;
    choose(&browser, "anna").await;
    anna_spends_sleeps_and_wakes(&anna, &browser).await;
    texts_are_texts(&look(&browser).await);
    fits_on_a_phone(&browser).await;
    assert_eq!(browser.console().await, [""; 0]);
    without_scripts_the_same_is_shown(&lab, &browser).await;
    goes_on_after_a_restart(&mut lab, &browser).await;
    browser.click("form[action='/logout'] button").await;
    assert_eq!(browser.text("form[action='/login']").await, "API key Look");
}

/// Anna's container is made at the second attempt: what the first one's deployment wrote into its logs is evil.
async fn anna_and_another(lab: &Lab) -> User<'_> {
    let fails = json!({
        "service": "build", "kind": "deployment_fails", "logs": [EVIL], "times": 1, "contains": lab.project("anna"),
    });
    lab.fault(&fails).await;
    lab.drip.open(EVIL, "5").await;
    lab.user("anna", "1").await
}

/// As a person does it, who has a wrong key at hand first.
async fn log_in(browser: &Browser, lab: &Lab) {
    browser.go(&lab.drip.url()).await;
    assert_eq!(browser.console().await, [""; 0]);
    browser.enter("input[name=key]", "drip_demo_wrong\n").await;
    assert_eq!(browser.text(".bad").await, "This API key is not known here.");
    // The browser has a word on every 401.
    assert_eq!(browser.console().await.len(), 1);
    browser.enter("input[name=key]", &lab.drip.key()).await;
    browser.click("form button").await;
    assert_eq!(browser.text("form[action='/logout']").await, "Log out");
}

/// Follows the link to a user's journal, and goes to it once more. From here on the page is not loaded again.
async fn choose(browser: &Browser, user: &str) {
    let link = format!("#accounts a[href='/?user={user}']");
    browser.click(&link).await;
    assert_eq!(browser.text("#journal h2").await, format!("Journal of {user}"));
    browser.run(&format!("window.stayed = true; document.querySelector(\"{link}\").focus()")).await;
    let shown = look(browser).await;
    assert_eq!(
        shown["titles"],
        json!(["Drip: demo", "Drip: demo", "Accounts", format!("Journal of {user}"), "Log"])
    );
}

async fn anna_spends_sleeps_and_wakes(anna: &User<'_>, browser: &Browser) {
    anna.post("/debits", &json!({ "amount": "0.25", "meter": EVIL })).await.expect(200);
    is_shown(browser, &["anna", "0.75", "healthy", "active", "running"]).await;
    is_recorded(browser, &["debited", "-0.25", "0.75", EVIL]).await;
    anna.spend("0.65").await.expect(200);
    is_shown(browser, &["anna", "0.1", "low", "low_credit", "running"]).await;
    is_logged(browser, "anna low credit: 0.1 USDC of 1 USDC left").await;
    anna.spend("0.1").await.expect(200);
    is_shown(browser, &["anna", "0", "exhausted", "paused", "asleep"]).await;
    is_logged(browser, "anna container sleeps").await;
    is_logged(browser, "anna mail \"paused\" sent").await;
    anna.top_up("2").await;
    is_shown(browser, &["anna", "2", "healthy", "active", "running"]).await;
    is_recorded(browser, &["deposited", "2", "2", ""]).await;
    is_logged(browser, "anna 2 USDC paid in, balance 2 USDC").await;
    let stayed = "return [window.stayed, document.activeElement.innerText]";
    assert_eq!(browser.run(stayed).await, json!([true, "anna"]));
}

fn texts_are_texts(shown: &Value) {
    assert_eq!((&shown["made"], &shown["titles"][0]), (&json!(0), &json!("Drip: demo")), "{shown}");
    let said = |text: &str| lines(shown).any(|line| line.contains(text) && line.contains(EVIL));
    assert!(said("account opened with 5 USDC"), "{shown}");
    // What a container writes is its own: it may hold secrets.
    let failed = |line: &str| line.contains("to be tried again: the deployment failed");
    assert!(lines(shown).any(failed) && !said("to be tried again"), "{shown}");
}

/// Nothing is wider than the screen: neither the page, which would move under the finger, nor a table in it.
async fn fits_on_a_phone(browser: &Browser) {
    browser.be_a_phone(PHONE).await;
    let widths = browser.run("return [innerWidth, document.documentElement.scrollWidth]").await;
    assert_eq!(widths, json!([PHONE, PHONE]));
    let wide = "return [...document.querySelectorAll('section')].filter((one) => one.scrollWidth > one.clientWidth).length";
    assert_eq!(browser.run(wide).await, 0);
}

/// All of it when it is loaded, and what comes later, because it loads itself again.
async fn without_scripts_the_same_is_shown(lab: &Lab, with_scripts: &Browser) {
    let browser = Browser::open(Scripts::Off).await;
    log_in(&browser, lab).await;
    browser.click("#accounts a[href='/?user=anna']").await;
    wait_for("both show the same", async || {
        let (one, other) = (browser.try_run(LOOK).await?, look(with_scripts).await);
        if one == other { Ok(()) } else { Err(json!([one, other])) }
    })
    .await;
    lab.known("anna").spend("0.5").await.expect(200);
    is_shown(&browser, &["anna", "1.5", "healthy", "active", "running"]).await;
    is_recorded(&browser, &["debited", "-0.5", "1.5", "usage"]).await;
}

/// It says that it is cut off, and comes back by itself.
async fn goes_on_after_a_restart(lab: &mut Lab, browser: &Browser) {
    let notice = async || Value::from(browser.text("#lost").await);
    assert_eq!(notice().await, "");
    let said = wait_for("the page says that it is cut off", async || match notice().await {
        empty if empty == "" => Err(empty),
        said => Ok(said),
    });
    let (said, ()) = tokio::join!(said, lab.restart());
    assert_eq!(said, "The connection is lost: what stands here may be old.");
    lab.known("anna").spend("0.25").await.expect(200);
    is_shown(browser, &["anna", "1.25", "healthy", "active", "running"]).await;
    assert_eq!(notice().await, "");
    lab.check().await;
}

async fn look(browser: &Browser) -> Value {
    browser.run(LOOK).await
}

/// Waits for a row of the accounts.
async fn is_shown(browser: &Browser, account: &[&str]) {
    until(browser, &format!("the account {account:?}"), |shown| has(&shown["accounts"], &json!(account)))
        .await;
}

/// Waits for a row of the journal, which begins with its time.
async fn is_recorded(browser: &Browser, row: &[&str]) {
    let rows = |shown: &Value| shown["journal"].as_array().cloned().unwrap_or_default();
    let is = |seen: &Value| seen.as_array().is_some_and(|cells| json!(cells[1..]) == json!(row));
    until(browser, &format!("the record {row:?}"), |shown| rows(shown).iter().any(is)).await;
}

/// Waits for a line of the log, which begins with its time.
async fn is_logged(browser: &Browser, line: &str) {
    until(browser, &format!("the line {line:?}"), |shown| lines(shown).any(|seen| seen.ends_with(line)))
        .await;
}

async fn until(browser: &Browser, what: &str, is: impl Fn(&Value) -> bool) {
    wait_for(&format!("the page shows {what}"), async || {
        let shown = browser.try_run(LOOK).await?;
        if is(&shown) { Ok(()) } else { Err(shown) }
    })
    .await;
}

fn has(list: &Value, one: &Value) -> bool {
    list.as_array().is_some_and(|list| list.contains(one))
}

fn lines(shown: &Value) -> impl Iterator<Item = &str> {
    shown["log"].as_array().into_iter().flatten().filter_map(Value::as_str)
}
