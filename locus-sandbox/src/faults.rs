//! Faults to order: rules that are held against every request, and against what the services do by themselves.

use axum::http::Method;
use serde::{Deserialize, Serialize};

use crate::record::Service;
use crate::store::Turn;

/// A fault and when it strikes. As JSON: `{"service":"build","method":"POST","path":"/v1/services*","times":2,
/// "contains":"drip-0123","kind":"status","status":429,"retry_after":3}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Whose requests or deeds.
    pub service: Service,
    /// Only requests of this method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Only requests whose whole path looks like this; `*` stands for any characters: `/v1/services/*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Only where this text occurs: in the path, in the body, in the name of the project or service that an id in them
    /// belongs to, in the metadata of a checkout session they name, in the address a mail goes to. So one user's
    /// upstream can be broken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// How often it still strikes; always, if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// What happens.
    #[serde(flatten)]
    pub fault: Fault,
}

impl Rule {
    /// A fault that strikes everything at a service, always. The other fields narrow it.
    #[must_use]
    pub fn new(service: Service, fault: Fault) -> Self {
        Self { service, method: None, path: None, contains: None, times: None, fault }
    }

    fn meets(&self, deed: &Deed<'_>) -> bool {
        let both = |wanted: &Option<String>, is: Option<&str>, fits: fn(&str, &str) -> bool| {
            wanted.as_ref().zip(is).is_none_or(|(wanted, is)| fits(wanted, is))
        };
        let method = both(&self.method, deed.method, str::eq_ignore_ascii_case);
        let path = both(&self.path, deed.path, glob);
        let text = self.contains.as_ref().is_none_or(|wanted| deed.text.contains(wanted.as_str()));
        self.service == deed.service && method && path && text && self.times != Some(0)
    }
}

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fault {
    /// The request waits before it takes effect, in the world's time. Who hangs up meanwhile has done nothing.
    LatencyMs {
        /// How long.
        ms: u64,
    },
    /// The request takes effect at once, and its answer waits, in the world's time.
    LateAnswerMs {
        /// How long.
        ms: u64,
    },
    /// The request is answered with this status and does nothing. 202 is PayWithLocus asking for an approval.
    Status {
        /// The status.
        status: u16,
        /// Seconds for the header `Retry-After`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<u32>,
    },
    /// The request takes effect, and the connection is dropped without an answer.
    LostAnswer,
    /// The connection is dropped before anything takes effect.
    Refuse,
    /// A deployment that starts will fail. `method` and `path` do not count for this and what follows.
    DeploymentFails {
        /// Its `lastLogs`.
        #[serde(default)]
        logs: Vec<String>,
    },
    /// A deployment that starts stays `queued`.
    DeploymentStuck,
    /// A deployment that starts stays `queued` for longer.
    DeploymentSlow {
        /// So many seconds of the sandbox's time longer.
        seconds: u64,
    },
    /// A change of `runtime` is stored and does not scale.
    ScaleIgnored,
    /// Mail is refused with 403 `message_rejected`.
    MailRefused,
}

impl Fault {
    /// Whether it strikes requests, rather than what a service does with them.
    fn is_of_requests(&self) -> bool {
        use Fault::{LateAnswerMs, LatencyMs, LostAnswer, Refuse, Status};
        matches!(self, LatencyMs { .. } | LateAnswerMs { .. } | Status { .. } | LostAnswer | Refuse)
    }

    /// Whether it strikes deployments.
    pub(crate) fn is_of_deployments(&self) -> bool {
        use Fault::{DeploymentFails, DeploymentSlow, DeploymentStuck};
        matches!(self, DeploymentFails { .. } | DeploymentSlow { .. } | DeploymentStuck)
    }
}

/// A rule and the number it is withdrawn by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ordered {
    /// Its number.
    pub id: u64,
    /// The rule. `times` counts down.
    #[serde(flatten)]
    pub rule: Rule,
}

/// The rules in force; the first that meets strikes.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Faults {
    pub(crate) rules: Vec<Ordered>,
    made: u64,
}

/// What rules are held against. What a service does by itself has no method and no path.
#[derive(Clone, Copy)]
struct Deed<'a> {
    service: Service,
    method: Option<&'a str>,
    path: Option<&'a str>,
    text: &'a str,
}

impl Faults {
    pub(crate) fn add(&mut self, rule: Rule) -> u64 {
        self.made += 1;
        self.rules.push(Ordered { id: self.made, rule });
        self.made
    }

    /// Whether there was such a rule.
    pub(crate) fn remove(&mut self, id: u64) -> bool {
        let before = self.rules.len();
        self.rules.retain(|ordered| ordered.id != id);
        self.rules.len() < before
    }

    fn strike(&mut self, deed: &Deed<'_>, kind: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let mut rules = self.rules.iter_mut().map(|ordered| &mut ordered.rule);
        let rule = rules.find(|rule| kind(&rule.fault) && rule.meets(deed))?;
        rule.times = rule.times.map(|times| times - 1);
        let fault = rule.fault.clone();
        self.rules.retain(|ordered| ordered.rule.times != Some(0));
        Some(fault)
    }
}

impl Turn<'_> {
    /// The fault that strikes this request, if any. `text` is its path and body.
    pub(crate) fn fault_of_request(
        &mut self,
        service: Service,
        method: &Method,
        path: &str,
        text: &str,
    ) -> Option<Fault> {
        if self.store.faults.rules.is_empty() {
            return None;
        }
        let text = format!("{text} {}", self.names_behind(text));
        let deed = Deed { service, method: Some(method.as_str()), path: Some(path), text: &text };
        self.store.faults.strike(&deed, Fault::is_of_requests)
    }

    /// The fault of this kind that strikes what a service does. `text` says with what.
    pub(crate) fn fault_of_deed(
        &mut self,
        service: Service,
        text: &str,
        kind: impl Fn(&Fault) -> bool,
    ) -> Option<Fault> {
        let deed = Deed { service, method: None, path: None, text };
        self.store.faults.strike(&deed, kind)
    }
}

/// Whether the whole text looks like the pattern, in which `*` stands for any characters.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(head) else { return false };
    let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    ends.into_iter().any(|at| glob(rest, &text[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_the_whole_path() {
        for (pattern, text, matches) in [
            ("/v1/services", "/v1/services", true),
            ("/v1/services", "/v1/services/1", false),
            ("/v1/services*", "/v1/services/1", true),
            ("*/messages/*/reply", "/v0/inboxes/a/messages/b/reply", true),
            ("*/messages/*/reply", "/v0/inboxes/a/messages/b", false),
            ("*", "", true),
        ] {
            assert_eq!(glob(pattern, text), matches, "{pattern} {text}");
        }
    }

    #[test]
    fn a_rule_is_written_flat() {
        let json =
            r#"{"service":"build","path":"/v1/*","times":2,"kind":"status","status":429,"retry_after":3}"#;
        let rule: Rule = serde_json::from_str(json).unwrap();
        assert_eq!(rule.fault, Fault::Status { status: 429, retry_after: Some(3) });
        assert_eq!(serde_json::to_string(&rule).unwrap(), json);
    }

    #[test]
    fn a_rule_strikes_as_often_as_it_says() {
        let mut faults = Faults::default();
        faults.add(Rule { times: Some(2), ..Rule::new(Service::Pay, Fault::Refuse) });
        let deed = Deed { service: Service::Pay, method: Some("GET"), path: Some("/api"), text: "" };
        let strikes = (0..4).filter(|_| faults.strike(&deed, |_| true).is_some()).count();
        assert_eq!((strikes, faults.rules.len()), (2, 0));
        assert_eq!(faults.strike(&Deed { service: Service::Mail, ..deed }, |_| true), None);
    }
}
