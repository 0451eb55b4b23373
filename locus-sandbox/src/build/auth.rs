//! Tokens: JWTs that nobody signed, good for as long as the sandbox remembers them.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};

use super::{Answer, Refusal, WORKSPACE, done, read_body};
use crate::gate::bearer;
use crate::store::{Shared, Turn};

/// A caller with a token of ours.
pub(super) struct Caller;

impl FromRequestParts<Arc<Shared>> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Refusal> {
        let token = bearer(&parts.headers).unwrap_or_default();
        let good = shared.look(|turn| turn.store.build.tokens.get(token).is_some_and(|end| *end > turn.now));
        let refusal = || Refusal::new(StatusCode::UNAUTHORIZED, "Invalid or expired token");
        good.then_some(Self).ok_or_else(refusal)
    }
}

pub(super) async fn exchange(State(shared): State<Arc<Shared>>, body: Bytes) -> Answer {
    let body: Value = read_body(&body)?;
    let key = body["apiKey"].as_str().ok_or_else(|| Refusal::bad("apiKey is required"))?;
    if !shared.config.keys.locus.iter().any(|ours| ours == key) {
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, "Invalid API key"));
    }
    let token = shared.turn(|turn| turn.issue_token());
    Ok(done(&json!({"token": token, "expiresIn": "30d"})))
}

pub(super) async fn refresh(State(shared): State<Arc<Shared>>, _: Caller) -> Response {
    done(&json!({"token": shared.turn(|turn| turn.issue_token())}))
}

pub(super) async fn whoami(_: Caller) -> Response {
    done(&json!({"userId": "user_sandbox", "workspaceId": WORKSPACE, "email": "sandbox@drip.example"}))
}

impl Turn<'_> {
    fn issue_token(&mut self) -> String {
        let end = self.now.plus(self.config().timings.token_life);
        let id = self.store.ids.uuid("token");
        let claims = json!({
            "sub": "user_sandbox", "workspaceId": WORKSPACE, "jti": id,
            "iat": self.now.unix_seconds(), "exp": end.unix_seconds(),
        });
        let part = |value: &Value| BASE64.encode(value.to_string());
        let token = format!("{}.{}.sandbox", part(&json!({"alg": "none", "typ": "JWT"})), part(&claims));
        self.store.build.tokens.insert(token.clone(), end);
        token
    }
}
