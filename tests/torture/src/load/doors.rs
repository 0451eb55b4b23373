//! The three ways in: HTTP, NATS, and the Rust client. Each sends one attempt and says what became of it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use async_nats::RequestErrorKind;
use drip_client::{Account, Amount, Client, ContainerSettings, Debit, Error, MoneyIn, OpenAccount, Receipt};
use judge::history::{Answer, Item, Refusal, Request, Verb, What};
use serde_json::{Map, Value, json};

use super::mix::{APP, is_bot};
use crate::world::World;

/// What an answer may take beyond the deadline.
const ANSWER_GRACE: Duration = Duration::from_millis(1_500);

/// One way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// Plain HTTP.
    Http,
    /// Request and reply.
    Nats,
    /// The Rust client, which repeats a call by itself.
    Client,
}

impl Door {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Http, Self::Nats, Self::Client];

    /// The client's number in the history.
    pub(crate) fn number(self) -> u32 {
        match self {
            Self::Http => 1,
            Self::Nats => 2,
            Self::Client => 3,
        }
    }
}

/// Connections for all three.
pub(crate) struct Doors {
    http: reqwest::Client,
    nats: Option<async_nats::Client>,
    clients: BTreeMap<String, Client>,
}

impl Doors {
    /// To this world.
    pub(crate) async fn to(world: &World) -> Result<Self> {
        let nats = match world.nats.is_empty() {
            true => None,
            false => Some(world.connect().await?),
        };
        let client = |url: String| Ok((url.clone(), Client::new(&url, world.key().to_owned())?));
        let clients = world.apis.iter().map(|api| client(api.url())).collect::<Result<_>>()?;
        Ok(Self { http: world.http.clone(), nats, clients })
    }

    /// Sends it, and waits a little longer than its deadline. Without NATS its door leads to HTTP.
    pub(crate) async fn send(
        &self,
        door: Door,
        world: &World,
        request: &Request,
        patience: Duration,
    ) -> What {
        let what = self.sent(door, world, request, patience).await;
        let shows_more = request.verb == Verb::Open && is_bot(&request.user);
        match what {
            // It shows the account as the setting of its container left it, which is an event of its own: so it is
            // held against the log as a look at an account that was open already.
            What::Ok(answer) if shows_more => What::Ok(Answer { duplicate: true, ..answer }),
            what => what,
        }
    }

    async fn sent(&self, door: Door, world: &World, request: &Request, patience: Duration) -> What {
        let url = world.active().url();
        match (door, &self.nats, self.clients.get(&url)) {
            (Door::Nats, Some(nats), _) => over_nats(nats, request, patience).await,
            (Door::Client, _, Some(client)) => by_client(client, request, patience).await,
            _ => self.over_http(&url, world.key(), request, patience).await,
        }
    }

    async fn over_http(&self, url: &str, key: &str, request: &Request, patience: Duration) -> What {
        let users = format!("{url}/v1/users");
        let user = &request.user;
        let call = match request.verb {
            Verb::Open => self.http.post(users),
            Verb::Read => self.http.get(format!("{users}/{user}")),
            Verb::Grant => self.http.post(format!("{users}/{user}/grants")),
            Verb::Deposit => self.http.post(format!("{users}/{user}/deposits")),
            Verb::Debit => self.http.post(format!("{users}/{user}/debits")),
            Verb::Close => self.http.post(format!("{users}/{user}/close")),
        };
        let call = call.bearer_auth(key).timeout(patience + ANSWER_GRACE);
        let call = call.header("Drip-Deadline", deadline(request).unwrap_or_default());
        let call = if request.verb == Verb::Read { call } else { call.json(&body(request)) };
        let answer = match call.send().await {
            Ok(answer) => answer,
            Err(error) if error.is_connect() => return refused("unreachable"),
            Err(error) => return unknown(if error.is_timeout() { "timeout" } else { "cut" }),
        };
        match answer.json::<Value>().await {
            Ok(body) if body["code"].is_null() => done(request.verb, &body),
            Ok(body) => problem(&body),
            Err(_) => unknown("cut"),
        }
    }
}

async fn over_nats(nats: &async_nats::Client, request: &Request, patience: Duration) -> What {
    let (kind, verb) = match request.verb {
        Verb::Open => ("adm", "open"),
        Verb::Grant => ("adm", "grant"),
        Verb::Deposit => ("adm", "deposit"),
        Verb::Close => ("adm", "close"),
        Verb::Debit => ("cmd", "debit"),
        Verb::Read => ("cmd", "get"),
    };
    let mut body = body(request);
    body.insert("user_id".to_owned(), request.user.clone().into());
    body.insert("deadline".to_owned(), deadline(request).into());
    let message = async_nats::Request::new()
        .payload(Value::Object(body).to_string().into())
        .timeout(Some(patience + ANSWER_GRACE));
    match nats.send_request(format!("drip.{kind}.{APP}.{verb}"), message).await {
        Ok(answer) => match serde_json::from_slice::<Value>(&answer.payload) {
            Ok(body) if body["error"].is_null() => done(request.verb, &body),
            Ok(body) => problem(&body["error"]),
            Err(_) => unknown("not an answer"),
        },
        // The server knows that nobody listens: it was given to nobody.
        Err(error) if error.kind() == RequestErrorKind::NoResponders => refused("no_responders"),
        Err(error) => unknown(if error.kind() == RequestErrorKind::TimedOut { "timeout" } else { "cut" }),
    }
}

async fn by_client(client: &Client, request: &Request, patience: Duration) -> What {
    let client = client.clone().with_deadline(patience);
    let (user, amount) = (request.user.as_str(), Amount::from_credits(request.amount.unwrap_or(0)));
    let key = request.key.clone().unwrap_or_default();
    let answer = match request.verb {
        Verb::Open => {
            let open = OpenAccount {
                key: request.key.clone(),
                email: is_bot(user).then(|| email(user)),
                container: is_bot(user).then(container),
                ..OpenAccount::new(user).initial_balance(amount)
            };
            client.open(&open).await.map(|shown| account(&shown))
        }
        Verb::Read => client.account(user, false).await.map(|shown| account(&shown)),
        Verb::Close => client.close_with_key(user, &key).await.map(|shown| account(&shown)),
        Verb::Grant => client.grant(user, &MoneyIn::new(amount, key)).await.map(receipt),
        Verb::Deposit => client.deposit(user, &MoneyIn::new(amount, key)).await.map(receipt),
        Verb::Debit if request.items.is_empty() => {
            client.debit(user, &Debit::amount(amount).key(key)).await.map(receipt)
        }
        Verb::Debit => {
            let items = request.items.iter().map(client_item).collect();
            client.debit(user, &Debit::items(items).key(key)).await.map(receipt)
        }
    };
    match answer {
        Ok(answer) => What::Ok(answer),
        Err(Error::Rejected(problem)) => What::Refused(Refusal {
            code: problem.code.clone(),
            needed: problem.needed.map(Amount::credits),
            available: problem.available.map(Amount::credits),
        }),
        Err(Error::Unavailable { .. }) => refused("unavailable"),
        Err(Error::OutcomeUnknown { .. }) => unknown("outcome_unknown"),
        Err(error) => unknown(&format!("the client: {error}")),
    }
}

fn account(account: &Account) -> Answer {
    Answer {
        position: account.position.parse().ok(),
        balance: Some(account.balance.credits()),
        charged: None,
        duplicate: account.created == Some(false) || account.changed == Some(false),
    }
}

fn receipt(receipt: Receipt) -> Answer {
    Answer {
        position: receipt.position.and_then(|position| position.parse().ok()),
        balance: Some(receipt.balance.credits()),
        charged: Some(receipt.amount.credits()),
        duplicate: receipt.duplicate,
    }
}

fn client_item(item: &Item) -> drip_client::Item {
    let read = |text: String| text.parse().expect("a number with a point is a decimal");
    drip_client::Item {
        name: item.name.clone(),
        quantity: read(decimal(item.quantity, 6)),
        unit_price: read(decimal(item.unit_price, 12)),
    }
}

/// The body over HTTP: all but user and deadline.
fn body(request: &Request) -> Map<String, Value> {
    let mut body = Map::new();
    if let Some(key) = &request.key {
        body.insert("key".to_owned(), key.clone().into());
    }
    if let Some(amount) = request.amount {
        let name = if request.verb == Verb::Open { "initial_balance" } else { "amount" };
        body.insert(name.to_owned(), Amount::from_credits(amount).to_string().into());
    }
    if request.verb == Verb::Open {
        body.insert("user_id".to_owned(), request.user.clone().into());
    }
    if request.verb == Verb::Open && is_bot(&request.user) {
        body.insert("email".to_owned(), email(&request.user).into());
        body.insert("container".to_owned(), json!(container()));
    }
    if !request.items.is_empty() {
        body.insert("items".to_owned(), request.items.iter().map(json_item).collect());
    }
    body
}

pub(super) fn email(user: &str) -> String {
    format!("{user}@example.org")
}

/// With a variable, which is sealed before it is stored.
pub(super) fn container() -> ContainerSettings {
    let variables = [("MODE", "pro")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    ContainerSettings { variables: variables.into(), ..ContainerSettings::new("ghcr.io/acme/bot:1") }
}

fn json_item(item: &Item) -> Value {
    json!({
        "name": item.name,
        "quantity": decimal(item.quantity, 6),
        "unit_price": decimal(item.unit_price, 12),
    })
}

/// An exact decimal number with so many places.
fn decimal(value: u64, places: usize) -> String {
    let digits = format!("{value:0>width$}", width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    format!("{whole}.{fraction}")
}

/// The deadline as people write it.
fn deadline(request: &Request) -> Option<String> {
    let moment = chrono::DateTime::from_timestamp_micros(request.deadline?)?;
    Some(moment.to_rfc3339_opts(chrono::SecondsFormat::Micros, true))
}

fn done(verb: Verb, body: &Value) -> What {
    let money = |name: &str| body[name].as_str()?.parse().ok().map(Amount::credits);
    What::Ok(Answer {
        position: body["position"].as_str().and_then(|text| text.parse().ok()),
        balance: money("balance"),
        charged: if matches!(verb, Verb::Debit | Verb::Grant | Verb::Deposit) {
            money("amount")
        } else {
            None
        },
        duplicate: body["duplicate"] == true || body["created"] == false || body["changed"] == false,
    })
}

/// What is not a success, by its code.
fn problem(body: &Value) -> What {
    let code = body["code"].as_str().unwrap_or("none");
    if matches!(code, "outcome_unknown" | "internal" | "none") {
        return unknown(code);
    }
    let money = |name: &str| body[name].as_str()?.parse().ok().map(Amount::credits);
    What::Refused(Refusal { code: code.to_owned(), needed: money("needed"), available: money("available") })
}

fn refused(code: &str) -> What {
    What::Refused(Refusal { code: code.to_owned(), ..Refusal::default() })
}

fn unknown(reason: &str) -> What {
    What::Unknown { reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn decimals_are_exact() {
        for (value, places, text) in
            [(0, 6, "0.000000"), (1, 6, "0.000001"), (2_500_000, 6, "2.500000"), (7, 12, "0.000000000007")]
        {
            assert_eq!(decimal(value, places), text);
        }
    }
}
