//! What handlers are given: caller, path, query and body, with problems of our own for whatever is wrong.

use std::time::Duration;

use axum::body::Body;
use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use futures::StreamExt as _;
use ledger_core::Timestamp;
use ledger_core::rejection::Code;
use serde::de::DeserializeOwned;

use crate::edge::EdgeState;
use crate::edge::auth::{Debtor, Principal};
use crate::edge::dto::checkouts::CheckoutRequest;
use crate::edge::dto::format::{self, Format};
use crate::edge::dto::requests::{
    CloseRequest, DebitRequest, DebitsRequest, GetRequest, MoneyRequest, OpenRequest, SourceRequest,
};
use crate::edge::dto::upkeep::{ContainerRequest, HibernateRequest, RestoreRequest};
use crate::edge::problem::{EdgeCode, Problem};
use crate::edge::verbs;

/// The largest body.
const BODY_MAX: usize = 2 * 1024 * 1024;
/// How much of a larger one is still read, so that its sender gets to read the answer.
const DRAIN_MAX: usize = 8 * BODY_MAX;
/// How long a body may take to arrive.
const BODY_PATIENCE: Duration = Duration::from_secs(10);

impl FromRequestParts<EdgeState> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &EdgeState) -> Result<Self, Problem> {
        let debtor = Debtor::from_request_parts(parts, state).await?;
        match debtor.only {
            None => Ok(debtor.principal),
            Some(_) => Err(Problem::new(
                EdgeCode::Forbidden,
                "This token can only debit its own account, and show it.",
            )),
        }
    }
}

impl FromRequestParts<EdgeState> for Debtor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &EdgeState) -> Result<Self, Problem> {
        let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let key = header
            .and_then(|header| header.split_once(' '))
            .and_then(|(scheme, key)| scheme.eq_ignore_ascii_case("bearer").then_some(key.trim()));
        let unauthorized = |detail| Problem::new(EdgeCode::Unauthorized, detail);
        let key = key.ok_or_else(|| unauthorized("Send an API key: Authorization: Bearer drip_…"))?;
        if let Some(principal) = state.keyring.find(key) {
            return Ok(Self { principal: principal.clone(), only: None });
        }
        let holder = state.house.vault.as_ref().and_then(|vault| vault.holder(key));
        holder.map(Self::of_token).ok_or_else(|| unauthorized("This API key is not known here."))
    }
}

/// The one account that a token is for.
pub(super) fn check_debtor(who: &Debtor, user_id: Option<&str>) -> Result<(), Problem> {
    let other =
        || Problem::new(EdgeCode::Forbidden, "This token can only debit its own account, and show it.");
    if who.may(user_id) { Ok(()) } else { Err(other().at("user_id")) }
}

/// The user or source that a path names, percent-decoded.
pub(super) struct Named(pub(super) String);

impl FromRequestParts<EdgeState> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &EdgeState) -> Result<Self, Problem> {
        let named = Path::<String>::from_request_parts(parts, state).await;
        named.map(|Path(text)| Self(text)).map_err(|rejection| match rejection {
            PathRejection::FailedToDeserializePathParams(error) => match error.kind() {
                ErrorKind::InvalidUtf8InPathParam { key } => {
                    Problem::invalid(key, "must be percent-encoded UTF-8")
                }
                _ => Problem::internal(),
            },
            _ => Problem::internal(),
        })
    }
}

/// What stands behind the `?`, each name at most once.
pub(super) struct Params(Vec<(String, String)>);

impl FromRequestParts<EdgeState> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &EdgeState) -> Result<Self, Problem> {
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let Query(pairs) = pairs.map_err(|_| Problem::invalid("query", "must be percent-encoded UTF-8"))?;
        Ok(Self(pairs))
    }
}

impl Params {
    /// The values of these names, in their order. Problem: another name, or one twice.
    pub(super) fn take<const N: usize>(self, names: [&str; N]) -> Result<[Option<String>; N], Problem> {
        let mut values = [const { None }; N];
        for (name, value) in self.0 {
            let Some(place) = names.iter().position(|known| *known == name) else {
                return Err(unknown(&name, &names));
            };
            if values[place].replace(value).is_some() {
                return Err(Problem::invalid(&name, "is given twice"));
            }
        }
        Ok(values)
    }
}

fn unknown(name: &str, names: &[&str]) -> Problem {
    let shown: String = name.chars().take(40).collect();
    let there_are = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let detail = format!("There is no parameter {shown:?}; there are: {there_are}.");
    Problem::new(EdgeCode::UnknownField, detail).at(&shown)
}

/// Nothing stands behind the `?`. What asks for an act says everything in its body, so that nobody believes a
/// `?dry_run=true` that is not looked at.
pub(super) struct NoParams;

impl FromRequestParts<EdgeState> for NoParams {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &EdgeState) -> Result<Self, Problem> {
        let [] = Params::from_request_parts(parts, state).await?.take([])?;
        Ok(Self)
    }
}

/// A JSON body.
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<EdgeState> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &EdgeState) -> Result<Self, Problem> {
        let typed = format_of(request.headers()) == Some(Format::Json);
        let bytes = read(request.into_body()).await?;
        if !typed {
            let detail = "Send the header Content-Type: application/json.";
            return Err(Problem::new(EdgeCode::UnsupportedMediaType, detail));
        }
        Format::Json.read(&bytes).map(Self)
    }
}

/// No body at all, where all its fields are optional; a client that names JSON by habit means the same.
impl<T: DeserializeOwned> OptionalFromRequest<EdgeState> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &EdgeState) -> Result<Option<Self>, Problem> {
        let untyped = !request.headers().contains_key(header::CONTENT_TYPE);
        let taken = untyped || format_of(request.headers()) == Some(Format::Json);
        let (parts, body) = request.into_parts();
        let bytes = read(body).await?;
        if taken && bytes.is_empty() {
            return Ok(None);
        }
        let request = Request::from_parts(parts, Body::from(bytes));
        <Self as FromRequest<EdgeState>>::from_request(request, state).await.map(Some)
    }
}

/// A body as it came, in either format.
pub(super) struct Formatted {
    pub(super) format: Format,
    pub(super) bytes: Vec<u8>,
}

impl FromRequest<EdgeState> for Formatted {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &EdgeState) -> Result<Self, Problem> {
        let format = format_of(request.headers());
        let bytes = read(request.into_body()).await?;
        let format = format.ok_or_else(format::unsupported)?;
        Ok(Self { format, bytes })
    }
}

fn format_of(headers: &HeaderMap) -> Option<Format> {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.and_then(Format::named)
}

/// A body, whatever it is. Problem: it does not arrive, or is too large.
pub(super) async fn read(body: Body) -> Result<Vec<u8>, Problem> {
    let late = || Problem::from(Code::DeadlinePassed);
    tokio::time::timeout(BODY_PATIENCE, read_all(body)).await.map_err(|_| late())?
}

async fn read_all(body: Body) -> Result<Vec<u8>, Problem> {
    let mut chunks = body.into_data_stream();
    let (mut bytes, mut size) = (Vec::new(), 0_usize);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Problem::new(EdgeCode::MalformedJson, "The body ended early."))?;
        size += chunk.len();
        if size <= BODY_MAX {
            bytes.extend_from_slice(&chunk);
        } else if size > DRAIN_MAX {
            break;
        }
    }
    if size > BODY_MAX {
        let detail = format!("A body is at most {BODY_MAX} bytes.");
        return Err(Problem::new(EdgeCode::PayloadTooLarge, detail));
    }
    Ok(bytes)
}

/// What a header says of a call.
pub(super) struct CallHeaders {
    deadline: Option<String>,
    key: Option<String>,
}

impl FromRequestParts<EdgeState> for CallHeaders {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &EdgeState) -> Result<Self, Problem> {
        Ok(Self {
            deadline: text(&parts.headers, "drip-deadline")?,
            key: text(&parts.headers, "idempotency-key")?,
        })
    }
}

fn text(headers: &HeaderMap, name: &str) -> Result<Option<String>, Problem> {
    let value = headers.get(name).map(|value| std::str::from_utf8(value.as_bytes()));
    let value = value.transpose().map_err(|_| Problem::invalid(name, "must be UTF-8"))?;
    Ok(value.map(str::to_owned))
}

impl CallHeaders {
    /// The deadline of a call without a body.
    pub(super) fn deadline(&self) -> Result<Timestamp, Problem> {
        verbs::deadline(self.deadline.as_deref())
    }

    /// Puts into the body what the headers say, and the user that the path names. Problem: they say other things.
    pub(super) fn merge(self, user: Option<Named>, body: &mut impl Addressed) -> Result<(), Problem> {
        if let Some(Named(user)) = user
            && let Some(field) = body.user_id()
        {
            let differs = || Problem::invalid("user_id", "must be the one in the path");
            one_of(user, field, differs)?;
        }
        if let Some(key) = self.key {
            let of_each =
                || Problem::invalid("idempotency-key", "is not for batches: each debit has a key of its own");
            let conflict = || Problem::new(EdgeCode::KeyConflict, EdgeCode::KeyConflict.title()).at("key");
            one_of(key, body.key().ok_or_else(of_each)?, conflict)?;
        }
        if let Some(deadline) = self.deadline {
            let differs = || Problem::invalid("deadline", "must be the one in the header Drip-Deadline");
            one_of(deadline, body.deadline(), differs)?;
        }
        Ok(())
    }
}

fn one_of(
    said: String,
    field: &mut Option<String>,
    differs: impl FnOnce() -> Problem,
) -> Result<(), Problem> {
    match field {
        Some(other) if *other != said => Err(differs()),
        _ => {
            *field = Some(said);
            Ok(())
        }
    }
}

/// The fields of a body that path and headers may fill.
pub(super) trait Addressed {
    fn user_id(&mut self) -> Option<&mut Option<String>>;
    fn key(&mut self) -> Option<&mut Option<String>>;
    fn deadline(&mut self) -> &mut Option<String>;
}

macro_rules! addressed {
    ($($request:ty { $($field:ident),* })*) => {
        $(impl Addressed for $request {
            $(addressed!(@$field);)*

            fn deadline(&mut self) -> &mut Option<String> {
                &mut self.deadline
            }
        })*
    };
    (@user_id) => { fn user_id(&mut self) -> Option<&mut Option<String>> { Some(&mut self.user_id) } };
    (@no_user_id) => { fn user_id(&mut self) -> Option<&mut Option<String>> { None } };
    (@key) => { fn key(&mut self) -> Option<&mut Option<String>> { Some(&mut self.key) } };
    (@no_key) => { fn key(&mut self) -> Option<&mut Option<String>> { None } };
}

addressed! {
    OpenRequest { user_id, key }
    DebitRequest { user_id, key }
    MoneyRequest { user_id, key }
    CloseRequest { user_id, key }
    ContainerRequest { user_id, key }
    HibernateRequest { user_id, key }
    RestoreRequest { user_id, key }
    CheckoutRequest { user_id, key }
    GetRequest { user_id, no_key }
    DebitsRequest { no_user_id, no_key }
    SourceRequest { no_user_id, no_key }
}
