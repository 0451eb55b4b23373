//! For tests: the golden log of `schemas/`, taken apart, changed, and put together again with right hashes.

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap as _, SerializeSeq as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// Any MessagePack value of a commit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Int(i128),
    Flag(bool),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Value>),
    Map(Vec<(String, Value)>),
}

impl Value {
    /// JSON, in which a text that begins with `hex:` is bytes.
    pub(crate) fn json(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    /// What stands at a path like `e/0/D/b`.
    pub(crate) fn at(&mut self, path: &str) -> &mut Self {
        path.split('/').filter(|step| !step.is_empty()).fold(self, |value, step| match value {
            Self::List(list) => &mut list[step.parse::<usize>().unwrap()],
            Self::Map(map) => {
                if !map.iter().any(|(name, _)| name == step) {
                    map.push((step.to_owned(), Self::Int(0)));
                }
                &mut map.iter_mut().find(|(name, _)| name == step).unwrap().1
            }
            other => panic!("no {step} in {other:?}"),
        })
    }

    /// Takes away what stands at a path.
    pub(crate) fn cut(&mut self, path: &str) {
        let (parent, step) = path.rsplit_once('/').unwrap_or(("", path));
        match self.at(parent) {
            Self::List(list) => drop(list.remove(step.parse::<usize>().unwrap())),
            Self::Map(map) => map.retain(|(name, _)| name != step),
            other => panic!("no {step} in {other:?}"),
        }
    }

    /// Puts a value into the list of a path, before the element that the path names.
    pub(crate) fn insert(&mut self, path: &str, value: Self) {
        let (parent, step) = path.rsplit_once('/').unwrap();
        let Self::List(list) = self.at(parent) else { panic!("{parent} is no list") };
        list.insert(step.parse::<usize>().unwrap().min(list.len()), value);
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Value;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
                Ok(Value::Flag(flag))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
                Ok(Value::Int(number.into()))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
                Ok(Value::Int(number.into()))
            }
            fn visit_str<E>(self, text: &str) -> Result<Value, E> {
                Ok(match text.strip_prefix("hex:") {
                    Some(hex) => Value::Bytes(hex::decode(hex).unwrap()),
                    None => Value::Text(text.to_owned()),
                })
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Value, E> {
                Ok(Value::Bytes(bytes.to_vec()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = list.next_element()? {
                    values.push(value);
                }
                Ok(Value::List(values))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
                let mut values = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    values.push(entry);
                }
                Ok(Value::Map(values))
            }
        }
        from.deserialize_any(Any)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Flag(flag) => to.serialize_bool(*flag),
            Self::Int(number) => match u64::try_from(*number) {
                Ok(number) => to.serialize_u64(number),
                Err(_) => to.serialize_i64(i64::try_from(*number).unwrap()),
            },
            Self::Text(text) => to.serialize_str(text),
            Self::Bytes(bytes) => to.serialize_bytes(bytes),
            Self::List(list) => {
                let mut to = to.serialize_seq(Some(list.len()))?;
                list.iter().try_for_each(|value| to.serialize_element(value))?;
                to.end()
            }
            Self::Map(map) => {
                let mut to = to.serialize_map(Some(map.len()))?;
                map.iter().try_for_each(|(name, value)| to.serialize_entry(name, value))?;
                to.end()
            }
        }
    }
}

/// A commit in its two parts.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    pub(crate) prefix: Vec<u8>,
    pub(crate) body: Value,
}

impl Parts {
    fn read(bytes: &[u8]) -> Self {
        Self { prefix: bytes[..32].to_vec(), body: rmp_serde::from_slice(&bytes[32..]).unwrap() }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        [&self.prefix[..], &rmp_serde::to_vec(&self.body).unwrap()].concat()
    }
}

/// The golden log, as its bytes stand in `schemas/`.
pub(crate) fn golden() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas/golden/v1");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "hex"));
    files.sort();
    let read = |file| std::fs::read_to_string(file).unwrap().split_whitespace().collect::<String>();
    files.iter().map(read).map(|hex| hex::decode(hex).unwrap()).collect()
}

/// The golden log, taken apart.
pub(crate) fn golden_parts() -> Vec<Parts> {
    golden().iter().map(|bytes| Parts::read(bytes)).collect()
}

/// Puts a log together: every commit names the one before it by the hash that it has now.
pub(crate) fn chained(commits: &[Parts]) -> Vec<Vec<u8>> {
    let mut hash = vec![0; 32];
    let link = |commit: &Parts| {
        let mut commit = commit.clone();
        *commit.body.at("h") = Value::Bytes(std::mem::take(&mut hash));
        let bytes = commit.bytes();
        hash = Sha256::digest(&bytes).to_vec();
        bytes
    };
    commits.iter().map(link).collect()
}

/// The golden log in one partition of two, with these changes. A change is `COMMIT set|cut|insert PATH [JSON]`, or
/// `COMMIT end`: there is nothing behind it.
pub(crate) fn changed(changes: &[&str]) -> Vec<Vec<u8>> {
    let mut commits = golden_parts();
    change(&mut commits, "1 set e/0/G/s [[0,0]]");
    change(&mut commits, "1 set e/0/G/p 2");
    changes.iter().for_each(|text| change(&mut commits, text));
    chained(&commits)
}

fn change(commits: &mut Vec<Parts>, text: &str) {
    let words: Vec<&str> = text.splitn(4, ' ').collect();
    let number = words[0].parse::<usize>().unwrap();
    if words[1] == "end" {
        return commits.truncate(number);
    }
    let body = &mut commits[number - 1].body;
    match words[1] {
        "set" => *body.at(words[2]) = Value::json(words[3]),
        "insert" => body.insert(words[2], Value::json(words[3])),
        "cut" => body.cut(words[2]),
        other => panic!("{other} is no change"),
    }
}

/// The cases of a file of tests: some lines of changes and, behind `= `, what is said of them.
pub(crate) fn cases(file: &'static str) -> Vec<(Vec<&'static str>, &'static str)> {
    let lines = file.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut changes = Vec::new();
    let case = |line: &'static str| match line.strip_prefix("= ") {
        Some(said) => Some((std::mem::take(&mut changes), said)),
        None => {
            changes.push(line);
            None
        }
    };
    lines.filter_map(case).collect()
}
