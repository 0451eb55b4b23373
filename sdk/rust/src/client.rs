//! A method a verb; those about the upkeep of accounts stand in `upkeep`.

mod upkeep;

use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;
use reqwest::{Method, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::answers::{Account, JournalRow, Page, Readiness, Receipt, SourceAnswer, SourceStatus};
use crate::call::Call;
use crate::error::{Error, Problem};
use crate::key::new_key;
use crate::requests::{AccountsQuery, Debit, JournalQuery, MoneyIn, OpenAccount, SourceBatch, UserDebit};
use crate::routing::Routing;

/// How long a call may take, all attempts together, when nothing else is said.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// The longest a call may take. The server takes deadlines up to 30 seconds ahead; the rest is for clocks that differ.
pub const DEADLINE_MAX: Duration = Duration::from_secs(25);

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Speaks to one Drip with one API key. Cheap to clone: clones share their connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    key: SecretString,
    deadline: Duration,
}

impl Client {
    /// For the Drip at this URL ("http://127.0.0.1:8377"), with an API key ("drip_demo_..."). Connects only when called.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a text that is no http URL, or for a key that no header can carry.
    pub fn new(url: &str, key: impl Into<SecretString>) -> Result<Self, Error> {
        let base = base(url)?;
        let mut builder = reqwest::Client::builder()
            .redirect(Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true);
        if is_loopback(&base) {
            // A proxy can not reach this machine's own loopback.
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| Error::Invalid(error.to_string()))?;
        let client = Self { http, base, key: key.into(), deadline: DEADLINE };
        client.authorization()?;
        Ok(client)
    }

    /// The same client with another time a call, all attempts together; at most [`DEADLINE_MAX`].
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline: deadline.min(DEADLINE_MAX), ..self }
    }

    /// Opens an account. One that is there already is answered as it is, with `created: false`.
    ///
    /// # Errors
    ///
    /// See [`Error`]; this holds for every call.
    pub async fn open(&self, open: &OpenAccount) -> Result<Account, Error> {
        self.post(&["users"], open, open.key.clone()).await
    }

    /// An account, as its owner knows it: never stale. With its lots when asked.
    ///
    /// # Errors
    ///
    /// See [`Error`]; `account_unknown` when there is none.
    pub async fn account(&self, user_id: &str, lots: bool) -> Result<Account, Error> {
        let expand: &[_] = if lots { &[("expand", "lots")] } else { &[] };
        self.get(&["users", user_id], expand).await
    }

    /// A page of accounts, by user id.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn accounts(&self, query: &AccountsQuery) -> Result<Page<Account>, Error> {
        self.get(&["users"], query).await
    }

    /// Charges for usage.
    ///
    /// # Errors
    ///
    /// See [`Error`]; `insufficient_credit` when the account can not pay.
    pub async fn debit(&self, user_id: &str, debit: &Debit) -> Result<Receipt, Error> {
        let key = debit.key.clone().unwrap_or_else(new_key);
        let keyed = Debit { key: Some(key.clone()), ..debit.clone() };
        self.post(&["users", user_id, "debits"], &keyed, Some(key)).await
    }

    /// What a debit would do now. Changes nothing.
    ///
    /// # Errors
    ///
    /// See [`Error`]; `insufficient_credit` when the account could not pay.
    pub async fn debit_dry_run(&self, user_id: &str, debit: &Debit) -> Result<Receipt, Error> {
        #[derive(Serialize)]
        struct DryRun<'a> {
            #[serde(flatten)]
            debit: &'a Debit,
            dry_run: bool,
        }
        let body = bytes(&DryRun { debit, dry_run: true });
        let url = self.url(&["users", user_id, "debits"])?;
        self.call(Method::POST, url, Some(body), None, false).await
    }

    /// Charges many, each for itself, and answers in the same order. Up to 1000.
    ///
    /// # Errors
    ///
    /// See [`Error`]. Each debit's own refusal stands in the answer.
    pub async fn debits(&self, debits: &[UserDebit]) -> Result<Vec<Result<Receipt, Problem>>, Error> {
        let mut keyed = debits.to_vec();
        for one in &mut keyed {
            one.debit.key.get_or_insert_with(new_key);
        }
        let results: Results = self.post(&["debits"], &json!({ "debits": keyed }), None).await?;
        Ok(results.results.into_iter().map(Into::into).collect())
    }

    /// Hands in the next part of a source. The same part again charges nothing, whenever.
    ///
    /// # Errors
    ///
    /// See [`Error`]; `source_differs` and `source_shorter` when the source was another before.
    pub async fn source_batch(&self, batch: &SourceBatch) -> Result<SourceAnswer, Error> {
        self.post(&["debits"], batch, None).await
    }

    /// Records money that was paid.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn deposit(&self, user_id: &str, money: &MoneyIn) -> Result<Receipt, Error> {
        self.money_in(user_id, "deposits", money).await
    }

    /// Gives money.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn grant(&self, user_id: &str, money: &MoneyIn) -> Result<Receipt, Error> {
        self.money_in(user_id, "grants", money).await
    }

    /// Closes an account: it keeps its balance and refuses debits.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn close(&self, user_id: &str) -> Result<Account, Error> {
        self.close_with_key(user_id, &new_key()).await
    }

    /// Closes an account under an idempotency key of yours.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn close_with_key(&self, user_id: &str, key: &str) -> Result<Account, Error> {
        self.post(&["users", user_id, "close"], &json!({ "key": key }), Some(key.to_owned())).await
    }

    /// A page of an account's history.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn journal(&self, user_id: &str, query: &JournalQuery) -> Result<Page<JournalRow>, Error> {
        self.get(&["users", user_id, "journal"], query).await
    }

    /// The debit, or the recorded decline, with this key; everything acknowledged before the call is seen.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn debit_by_key(&self, user_id: &str, key: &str) -> Result<Vec<JournalRow>, Error> {
        let page: Page<JournalRow> = self.get(&["users", user_id, "debits"], &[("key", key)]).await?;
        Ok(page.data)
    }

    /// What the views know of a source.
    ///
    /// # Errors
    ///
    /// See [`Error`]; `not_found` when they have not seen it.
    pub async fn source(&self, source: &str) -> Result<SourceStatus, Error> {
        self.get(&["sources", source], &()).await
    }

    /// A page of a source's declined items, by number.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn source_declines(
        &self,
        source: &str,
        limit: Option<u32>,
        cursor: Option<&str>,
    ) -> Result<Page<JournalRow>, Error> {
        let query = AccountsQuery { limit, cursor: cursor.map(str::to_owned), ..AccountsQuery::default() };
        self.get(&["sources", source, "declines"], &query).await
    }

    /// Which partition decides for which account: for programs that ask a partition straight, over NATS.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn routing(&self) -> Result<Routing, Error> {
        self.get(&["routing"], &()).await
    }

    /// Whether the server takes calls. Needs no API key.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] when it does not.
    pub async fn ready(&self) -> Result<Readiness, Error> {
        let url = self.join(&["health", "ready"])?;
        self.call(Method::GET, url, None, None, false).await
    }

    /// What a worker asks for: `path` behind `/work`, as Drip's own workers know it. The client's key is the workers'.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn work<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &(impl Serialize + ?Sized),
    ) -> Result<T, Error> {
        let request = self.http.get(self.join(&["work", path])?).query(query).build();
        let url = request.map_err(|error| Error::Invalid(error.to_string()))?.url().clone();
        self.call(Method::GET, url, None, None, false).await
    }

    /// What a worker tells.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn tell_work<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Error> {
        self.call(Method::POST, self.join(&["work", path])?, Some(bytes(body)), None, true).await
    }

    async fn money_in(&self, user_id: &str, verb: &str, money: &MoneyIn) -> Result<Receipt, Error> {
        let key = money.key.clone().unwrap_or_else(new_key);
        let keyed = MoneyIn { key: Some(key.clone()), ..money.clone() };
        self.post(&["users", user_id, verb], &keyed, Some(key)).await
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &(impl Serialize + ?Sized),
    ) -> Result<T, Error> {
        let request = self.http.get(self.url(path)?).query(query).build();
        let url = request.map_err(|error| Error::Invalid(error.to_string()))?.url().clone();
        self.call(Method::GET, url, None, None, false).await
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &impl Serialize,
        key: Option<String>,
    ) -> Result<T, Error> {
        self.call(Method::POST, self.url(path)?, Some(bytes(body)), key, true).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        url: Url,
        body: Option<Vec<u8>>,
        key: Option<String>,
        writes: bool,
    ) -> Result<T, Error> {
        let authorization = self.authorization()?;
        Call { method, url, authorization, body, key, writes }.send(&self.http, self.deadline).await
    }

    fn authorization(&self) -> Result<HeaderValue, Error> {
        let text = format!("Bearer {}", self.key.expose_secret());
        let mut value = HeaderValue::from_str(&text).map_err(|_| {
            Error::Invalid("the API key holds characters that no HTTP header can carry".into())
        })?;
        value.set_sensitive(true);
        Ok(value)
    }

    fn url(&self, path: &[&str]) -> Result<Url, Error> {
        // A URL can not hold these as a name: every client and proxy on the way takes them for a step.
        if let Some(dots) = path.iter().find(|part| matches!(**part, "." | ".." | "")) {
            return Err(Error::Invalid(format!(
                "\"{dots}\" can not be asked for by URL: ask for it in a batch or over NATS"
            )));
        }
        self.join(&[&["v1"], path].concat())
    }

    fn join(&self, path: &[&str]) -> Result<Url, Error> {
        let mut url = self.base.clone();
        let no_path = |()| Error::Invalid(format!("{} can not have paths", self.base));
        url.path_segments_mut().map_err(no_path)?.pop_if_empty().extend(path);
        Ok(url)
    }
}

#[derive(Deserialize)]
struct Results {
    results: Vec<OneResult>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneResult {
    Refused { error: Box<Problem> },
    Done(Box<Receipt>),
}

impl From<OneResult> for Result<Receipt, Problem> {
    fn from(one: OneResult) -> Self {
        match one {
            OneResult::Refused { error } => Err(*error),
            OneResult::Done(receipt) => Ok(*receipt),
        }
    }
}

fn base(url: &str) -> Result<Url, Error> {
    let invalid = |reason: &str| Error::Invalid(format!("\"{url}\" is no URL of a Drip: {reason}"));
    let base = Url::parse(url).map_err(|error| invalid(&error.to_string()))?;
    if !matches!(base.scheme(), "http" | "https") {
        return Err(invalid("it must begin with http:// or https://"));
    }
    Ok(base)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn bytes(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).expect("our requests hold only text, numbers and objects with text as names")
}
