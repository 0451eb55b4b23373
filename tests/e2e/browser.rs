//! A real browser: told over WebDriver what a person would do, asked what stands on the page then.

use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::{Value, json};
use test_servers::ChromeDriver;

use crate::ask::send;

/// How long one order may take; starting the browser on a busy machine takes longest.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether pages may run scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scripts {
    On,
    Off,
}

/// A window. Dropping it ends the browser, and its driver.
pub(crate) struct Browser {
    client: Client,
    session: String,
    driver: ChromeDriver,
}

impl Browser {
    pub(crate) async fn open(scripts: Scripts) -> Self {
        let driver = ChromeDriver::start().await;
        let client = Client::builder().timeout(PATIENCE).build().expect("a plain client can be made");
        let mut browser = Self { client, session: format!("{}/session", driver.url()), driver };
        let wanted = json!({ "capabilities": { "alwaysMatch": capabilities(&browser.driver, scripts) } });
        let begun = browser.order("", &wanted).await;
        browser.session += &format!("/{}", begun["sessionId"].as_str().expect("a session has a name"));
        browser
    }

    /// Loads a page.
    pub(crate) async fn go(&self, url: &str) {
        self.order("/url", &json!({ "url": url })).await;
    }

    /// Clicks on what a selector of CSS finds first.
    pub(crate) async fn click(&self, what: &str) {
        let element = self.find(what).await;
        self.order(&format!("/element/{element}/click"), &json!({})).await;
    }

    /// Types into what a selector of CSS finds first.
    pub(crate) async fn enter(&self, what: &str, text: &str) {
        let element = self.find(what).await;
        self.order(&format!("/element/{element}/value"), &json!({ "text": text })).await;
    }

    /// What is read in what a selector of CSS finds first.
    pub(crate) async fn text(&self, what: &str) -> String {
        let element = self.find(what).await;
        let text = self.ask(Method::GET, &format!("/element/{element}/text"), &json!({})).await;
        text.as_str().expect("a text").to_owned()
    }

    /// What a function's body returns. It is run although pages may not run scripts.
    pub(crate) async fn run(&self, body: &str) -> Value {
        self.try_run(body).await.unwrap_or_else(|error| panic!("{body}: {error}\n{}", self.driver.log()))
    }

    /// The same, or why not: a page that loads itself again may do so in the middle of it.
    pub(crate) async fn try_run(&self, body: &str) -> Result<Value, Value> {
        self.try_ask(Method::POST, "/execute/sync", &json!({ "script": body, "args": [] })).await
    }

    /// What has gone to the console since it was asked for last: errors of scripts, what a policy has blocked.
    pub(crate) async fn console(&self) -> Vec<String> {
        let entries = self.order("/se/log", &json!({ "type": "browser" })).await;
        entries.as_array().expect("a list").iter().map(|entry| entry["message"].to_string()).collect()
    }

    /// Makes the page as wide as that of a phone may be: a window has a least width.
    pub(crate) async fn be_a_phone(&self, width: u32) {
        let sizes = json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": true });
        let order = json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params": sizes });
        self.order("/goog/cdp/execute", &order).await;
    }

    async fn find(&self, what: &str) -> String {
        let found = self.order("/element", &json!({ "using": "css selector", "value": what })).await;
        let id = found.as_object().and_then(|found| found.values().next()?.as_str());
        id.expect("an element has an id").to_owned()
    }

    async fn order(&self, path: &str, body: &Value) -> Value {
        self.ask(Method::POST, path, body).await
    }

    async fn ask(&self, method: Method, path: &str, body: &Value) -> Value {
        let answer = self.try_ask(method, path, body).await;
        answer.unwrap_or_else(|error| panic!("{path} {body}: {error}\n{}", self.driver.log()))
    }

    async fn try_ask(&self, method: Method, path: &str, body: &Value) -> Result<Value, Value> {
        let request = self.client.request(method, format!("{}{path}", self.session)).json(body);
        let mut answer = send(request).await;
        let value = answer.body["value"].take();
        if answer.status == 200 { Ok(value) } else { Err(value) }
    }
}

fn capabilities(driver: &ChromeDriver, scripts: Scripts) -> Value {
    let mut arguments = driver.arguments();
    arguments.push("--window-size=1100,900");
    // 1: allowed, 2: blocked.
    let scripts = if scripts == Scripts::On { 1 } else { 2 };
    json!({
        "browserName": "chrome",
        // What is looked for may come with the page that is under way.
        "timeouts": { "implicit": PATIENCE.as_millis() / 2 },
        // Not the hints that each new browser has more of.
        "goog:loggingPrefs": { "browser": "WARNING" },
        "goog:chromeOptions": {
            "binary": driver.chromium(),
            "args": arguments,
            "prefs": { "profile.managed_default_content_settings.javascript": scripts },
        },
    })
}

#[tokio::test]
async fn nothing_of_a_browser_stays_behind() {
    let browser = Browser::open(Scripts::On).await;
    let folder = browser.driver.folder().to_owned();
    assert!(runs_on(&folder), "a browser keeps its profile there");
    drop(browser);
    crate::stack::until(PATIENCE, "the browser is gone", async || (!runs_on(&folder)).then_some(())).await;
    assert!(!folder.exists());
}

/// Whether a process names this folder.
#[cfg(test)]
fn runs_on(folder: &std::path::Path) -> bool {
    let processes = std::fs::read_dir("/proc").expect("Linux shows processes").flatten();
    let lines = processes.filter_map(|process| std::fs::read_to_string(process.path().join("cmdline")).ok());
    lines.into_iter().any(|line| line.contains(&folder.display().to_string()))
}
