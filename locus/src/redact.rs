//! Hides secrets in text that others wrote before it is shown in an error.

use crate::secret::{PREFIXES, Secret};

/// How much of a foreign text is looked at.
const LOOK: usize = 4_096;
/// How much of it is shown, in characters.
const SHOW: usize = 240;
/// Names of JSON members whose text is a secret, whatever it looks like.
const NAMES: [&str; 8] =
    ["secret", "token", "apikey", "api_key", "privatekey", "password", "jwt", "authorization"];

/// The beginning of a foreign text on one line, without what looks like a secret and without `own`, the secret the call
/// was made with.
pub(crate) fn snippet(text: &str, own: Option<&Secret>) -> String {
    let text = &text[..text.floor_char_boundary(LOOK)];
    let own = own.map(Secret::expose).filter(|own| !own.is_empty());
    let text = own.map_or_else(|| text.to_owned(), |own| text.replace(own, "…"));
    let hidden = tokens(&members(&text));
    let mut shown: String = hidden.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOW).collect();
    if hidden.chars().nth(SHOW).is_some() {
        shown.push('…');
    }
    shown
}

/// Hides the text of members such as `"webhookSecret": "…"`.
fn members(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, name, after)) = next_string(rest) {
        out.push_str(before);
        out.push_str(name);
        rest = after;
        let lower = name.to_ascii_lowercase();
        if !NAMES.iter().any(|secret| lower.contains(secret)) {
            continue;
        }
        let Some((colon, _, after)) = next_string(rest).filter(|(between, ..)| between.trim() == ":") else {
            continue;
        };
        out.push_str(colon);
        out.push_str("\"…\"");
        rest = after;
    }
    out + rest
}

/// What comes before the next JSON string, the string with its quotes, and what comes after. A string that was cut off
/// goes to the end.
fn next_string(text: &str) -> Option<(&str, &str, &str)> {
    let start = text.find('"')?;
    let mut escaped = false;
    let end = text[start + 1..].find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    let end = end.map_or(text.len(), |end| start + 1 + end + 1);
    Some((&text[..start], &text[start..end], &text[end..]))
}

/// Hides what looks like a key, the secret of a webhook, or a JWT, wherever it stands.
fn tokens(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let kind = PREFIXES.iter().chain(&["eyJ"]).find(|kind| rest.starts_with(**kind));
        let Some(kind) = kind.filter(|kind| begins_here(&out, kind)) else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        let end = rest.find(|c: char| !is_token(c)).unwrap_or(rest.len());
        out.push_str(if end > kind.len() { kind.trim_start_matches("eyJ") } else { kind });
        out.push_str(if end > kind.len() { "…" } else { "" });
        rest = &rest[end..];
    }
    out
}

/// "am_" ends ordinary words as well ("team_id"), so it counts only where a word begins. A letter after a backslash is
/// a line end or the like.
fn begins_here(before: &str, kind: &str) -> bool {
    let mut last = before.chars().rev();
    let inside_word = last.next().is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    kind != "am_" || !inside_word || last.next() == Some('\\')
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_-.+/=~".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_hidden() {
        for (text, shown) in [
            ("Bearer claw_dev_abc123 is wrong", "Bearer claw_… is wrong"),
            ("key am_0123, please", "key am_…, please"),
            (r"line\nam_0123", r"line\nam_…"),
            (r#"{"s":"whsec_Zm9v+/=="}"#, r#"{"s":"whsec_…"}"#),
            ("eyJhbGciOiJub25lIn0.eyJzdWIiOjF9.sig-_x tail", "… tail"),
            (r#"{"team_id":"t","param_x":1}"#, r#"{"team_id":"t","param_x":1}"#),
            (r#"{"webhookSecret" : "plain", "a":1}"#, r#"{"webhookSecret" : "…", "a":1}"#),
            (r#"{"accessToken":"opa\"que","id":"x"}"#, r#"{"accessToken":"…","id":"x"}"#),
            (r#"{"ownerPrivateKey":"0xdead"#, r#"{"ownerPrivateKey":"…""#),
            (r#"{"token":{"x":"y"}}"#, r#"{"token":{"x":"y"}}"#),
            (r#"["token","USDC"]"#, r#"["token","USDC"]"#),
            ("keys begin with claw_ or am_", "keys begin with claw_ or am_"),
            ("ünï\u{7}\ncode", "ünï  code"),
        ] {
            assert_eq!(snippet(text, None), shown, "{text}");
        }
    }

    #[test]
    fn the_calls_own_secret_is_hidden_even_when_it_looks_like_nothing() {
        assert_eq!(snippet("you sent opaque-1", Some(&Secret::new("opaque-1"))), "you sent …");
        assert_eq!(snippet("x", Some(&Secret::new(""))), "x");
    }

    proptest::proptest! {
        #[test]
        fn a_key_is_hidden_in_any_text(before in r#"[ -~]{0,80}[ "\\:=]|"#, after in r#"[ ",}](.{0,80}[ ",}])?"#) {
            let text = format!("{before}claw_dev_k3y1{after}{before}am_k3y2{after}");
            let shown = snippet(&text, None);
            proptest::prop_assert!(!shown.contains("k3y"), "{} in {}", shown, text);
        }

        #[test]
        fn any_text_can_be_shown(text in ".*") {
            snippet(&text, Some(&Secret::new("x")));
        }
    }

    #[test]
    fn a_long_text_is_cut() {
        let long = "é".repeat(10_000);
        assert_eq!(snippet(&long, None).chars().count(), SHOW + 1);
        assert!(snippet(&long, None).ends_with('…'));
    }
}
