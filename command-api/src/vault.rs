//! What must not be read by who reads the log: webhooks' secrets and containers' variables, encrypted under one key;
//! and what it signs: tokens, each of which can only debit one account, and passes to the page, which can only look.
//!
//! The key stands in the environment or in a file, never in the log. Without it, what was sealed stays sealed; the
//! ledger itself does not need it.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use ledger_core::sealed::Sealed;
use ledger_core::{AccountId, AppId, Timestamp, UserId};
use sha2::{Digest as _, Sha256};

/// How a sealed text names the key of the house.
const HOUSE_KEY: u32 = 1;
/// How many bytes of a sealed text are its nonce.
const NONCE: usize = 12;
/// How a token begins: what it is, before anything else is looked at.
const TOKEN: &str = "dript_";
/// How a pass to the page begins.
const PASS: &str = "dripp_";

/// The key of the house, and what is done with it. Shows nothing of itself.
pub struct Vault {
    seal: RandomizedNonceKey,
    sign: [u8; 32],
    page: [u8; 32],
}

/// The text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret key must be 64 hex digits, as `openssl rand -hex 32` makes them")]
pub struct InvalidSecretKey;

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
}

impl Vault {
    /// Takes the key as 64 hex digits.
    ///
    /// Errors: it is none.
    pub fn new(key: &str) -> Result<Self, InvalidSecretKey> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(key.trim(), &mut bytes).map_err(|_| InvalidSecretKey)?;
        let seal = derive(&bytes, b"drip seal 1");
        let seal = RandomizedNonceKey::new(&AES_256_GCM, &seal).map_err(|_| InvalidSecretKey)?;
        Ok(Self { seal, sign: derive(&bytes, b"drip token 1"), page: derive(&bytes, b"drip page 1") })
    }

    /// Draws a new key.
    pub fn draw() -> String {
        let drawn: Vec<u8> = (0..3).flat_map(|_| uuid::Uuid::new_v4().into_bytes()).collect();
        hex::encode(Sha256::digest(&drawn))
    }

    /// Encrypts a text that belongs to an account, and can be opened only as its.
    pub fn seal(&self, account: &AccountId, text: &str) -> Sealed {
        let mut bytes = text.as_bytes().to_vec();
        let of = Aad::from(bound(account));
        let nonce = self.seal.seal_in_place_append_tag(of, &mut bytes);
        let nonce = nonce.expect("a short text can always be encrypted");
        let sealed = [&nonce.as_ref()[..], &bytes[..]].concat();
        Sealed { key_id: HOUSE_KEY, bytes: Bytes::from(sealed) }
    }

    /// Decrypts it. `None`: it was sealed with another key or for another account, or was changed.
    pub fn open(&self, account: &AccountId, sealed: &Sealed) -> Option<String> {
        if sealed.key_id == 0 {
            return sealed.plain_text().map(str::to_owned);
        }
        let (nonce, rest) = sealed.bytes.split_at_checked(NONCE)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut bytes = rest.to_vec();
        let text = self.seal.open_in_place(nonce, Aad::from(bound(account)), &mut bytes).ok()?;
        std::str::from_utf8(text).ok().map(str::to_owned)
    }

    /// A token that can debit this account, and nothing else.
    pub fn token(&self, account: &AccountId) -> String {
        let claim = URL_SAFE_NO_PAD.encode(bound(account));
        let signature = mac(&self.sign, &claim).finalize().into_bytes();
        format!("{TOKEN}{claim}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// Whose token this is. `None`: it is none of ours.
    pub fn holder(&self, token: &str) -> Option<AccountId> {
        let (claim, signature) = token.strip_prefix(TOKEN)?.split_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        // Compares in constant time.
        mac(&self.sign, claim).verify_slice(&signature).ok()?;
        let account = URL_SAFE_NO_PAD.decode(claim).ok()?;
        let (app, user) = std::str::from_utf8(&account).ok()?.split_once('/')?;
        Some(AccountId { app: AppId::new(app).ok()?, user: UserId::new(user).ok()? })
    }

    /// A pass to the page until then, for who has shown the API key of this mark.
    pub fn pass(&self, mark: &str, until: Timestamp) -> String {
        let claim = format!("{mark}.{}", until.0);
        let signature = mac(&self.page, &claim).finalize().into_bytes();
        format!("{PASS}{claim}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The mark of the key that a pass stands for, and until when. `None`: it is none of ours, or over.
    pub fn passes<'a>(&self, pass: &'a str, now: Timestamp) -> Option<(&'a str, Timestamp)> {
        let (claim, signature) = pass.strip_prefix(PASS)?.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        mac(&self.page, claim).verify_slice(&signature).ok()?;
        let (mark, until) = claim.split_once('.')?;
        let until = Timestamp(until.parse().ok()?);
        (until > now).then_some((mark, until))
    }
}

fn mac(key: &[u8; 32], claim: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a MAC takes keys of any length");
    mac.update(claim.as_bytes());
    mac
}

/// A key for one purpose.
fn derive(key: &[u8; 32], purpose: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a MAC takes keys of any length");
    mac.update(purpose);
    mac.finalize().into_bytes().into()
}

/// An app holds no '/', so that no two accounts read alike.
fn bound(account: &AccountId) -> Vec<u8> {
    account.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(user: &str) -> AccountId {
        AccountId { app: AppId::new("demo").unwrap(), user: UserId::new(user).unwrap() }
    }

    fn vault(digit: &str) -> Vault {
        Vault::new(&digit.repeat(64)).unwrap()
    }

    #[test]
    fn what_is_sealed_is_opened_by_the_same_key_for_the_same_account_alone() {
        let sealed = vault("1").seal(&account("anna"), "whsec_123");
        assert!(!sealed.bytes.windows(5).any(|part| part == b"whsec"));
        assert_eq!(vault("1").open(&account("anna"), &sealed).as_deref(), Some("whsec_123"));
        assert_eq!(vault("2").open(&account("anna"), &sealed), None);
        assert_eq!(vault("1").open(&account("bob"), &sealed), None);
        for at in 0..sealed.bytes.len() {
            let mut bytes = sealed.bytes.to_vec();
            bytes[at] ^= 1;
            let changed = Sealed { bytes: bytes.into(), ..sealed.clone() };
            assert_eq!(vault("1").open(&account("anna"), &changed), None, "byte {at}");
        }
    }

    #[test]
    fn a_token_names_its_account_and_can_not_be_changed() {
        let (vault, other) = (vault("1"), vault("2"));
        let token = vault.token(&account("a/b 🦀"));
        assert_eq!(vault.holder(&token), Some(account("a/b 🦀")));
        assert_eq!(other.holder(&token), None);
        let (claim, signature) = token.strip_prefix(TOKEN).unwrap().split_once('.').unwrap();
        let forged = URL_SAFE_NO_PAD.encode("demo/bob");
        for bad in [format!("{TOKEN}{forged}.{signature}"), format!("{TOKEN}{claim}."), claim.to_owned()] {
            assert_eq!(vault.holder(&bad), None, "{bad}");
        }
    }

    #[test]
    fn a_pass_ends_in_time_and_is_no_token() {
        let (vault, until) = (vault("1"), Timestamp(1_000));
        let pass = vault.pass("0123", until);
        assert_eq!(vault.passes(&pass, Timestamp(999)), Some(("0123", until)));
        assert_eq!(vault.passes(&pass, until), None);
        assert_eq!(self::vault("2").passes(&pass, Timestamp(0)), None);
        for changed in
            [pass.replace(".1000.", ".2000."), pass.replace("0123", "0124"), pass[..pass.len() - 1].into()]
        {
            assert_eq!(vault.passes(&changed, Timestamp(0)), None, "{changed}");
        }
        assert_eq!(vault.holder(&pass.replace(PASS, TOKEN)), None);
        let token = vault.token(&account("anna"));
        assert_eq!(vault.passes(&token.replace(TOKEN, PASS), Timestamp(0)), None);
    }

    #[test]
    fn a_key_is_drawn_as_it_is_read() {
        let key = Vault::draw();
        assert!(Vault::new(&key).is_ok() && Vault::draw() != key);
        for bad in ["", "12", &"g".repeat(64)] {
            assert_eq!(Vault::new(bad).unwrap_err(), InvalidSecretKey);
        }
        assert_eq!(format!("{:?}", vault("1")), "Vault");
    }
}
