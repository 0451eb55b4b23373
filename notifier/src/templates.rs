//! The templates of mails: built in, or files of the same names in a folder.
//!
//! The first line of a text is "Subject: …", then comes an empty one. Everything that could go wrong with a template
//! goes wrong at the start: it is parsed, its fields are looked up, and it is filled in once with and once without
//! what may be missing.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use ledger_core::upkeep::NoticeKind;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, Value};

use crate::error::Error;

/// The names a template can use.
const FIELDS: [&str; 8] =
    ["app_name", "user_id", "balance", "baseline", "percent_left", "top_up_url", "reference", "kind"];

macro_rules! built_in {
    ($($name:literal),*) => { [$(($name, include_str!(concat!("../templates/", $name)))),*] };
}

const BUILT_IN: [(&str, &str); 8] = built_in!(
    "low_credit.txt",
    "low_credit.html",
    "paused.txt",
    "paused.html",
    "restored.txt",
    "restored.html",
    "plan_suggestion.txt",
    "plan_suggestion.html"
);

const SUBJECT: &str = "Subject: ";

/// What a template is filled in with. Amounts stand there as the ledger gives them.
#[derive(Debug, Clone)]
pub(crate) struct Fields {
    pub(crate) app_name: String,
    pub(crate) user_id: String,
    pub(crate) balance: String,
    pub(crate) baseline: String,
    pub(crate) percent_left: String,
    pub(crate) top_up_url: Option<String>,
    pub(crate) reference: String,
    pub(crate) kind: NoticeKind,
}

impl Fields {
    fn value(&self) -> Value {
        let Self { app_name, user_id, balance, baseline, percent_left, top_up_url, reference, kind } = self;
        let texts =
            [app_name, user_id, balance, baseline, percent_left].map(|text| Value::from(text.as_str()));
        let top_up_url = top_up_url.as_deref().map_or(Value::from(()), Value::from);
        let rest = [top_up_url, Value::from(reference.as_str()), Value::from(word(*kind))];
        Value::from_pairs(FIELDS.into_iter().zip(texts.into_iter().chain(rest)))
    }
}

/// A mail's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rendered {
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
}

/// The word for a kind, as the ledger writes it.
pub(crate) const fn word(kind: NoticeKind) -> &'static str {
    match kind {
        NoticeKind::LowCredit => "low_credit",
        NoticeKind::Paused => "paused",
        NoticeKind::Restored => "restored",
        NoticeKind::PlanSuggestion => "plan_suggestion",
    }
}

/// Templates that were found good.
#[derive(Debug)]
pub(crate) struct Templates(Environment<'static>);

impl Templates {
    /// The built-in ones, or what stands in the folder in their place.
    pub(crate) fn load(folder: Option<&Path>) -> Result<Self, Error> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        // A line that holds a tag alone leaves no line.
        let lines = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(lines.expect("no delimiters are changed"));
        let mut templates = Self(environment);
        folder.map_or(Ok(()), is_folder)?;
        folder.map_or(Ok(()), has_no_others)?;
        for (name, built_in) in BUILT_IN {
            let own = folder.map_or(Ok(None), |folder| own(&folder.join(name)))?;
            let (file, source) = own.unwrap_or_else(|| (name.to_owned(), built_in.to_owned()));
            templates.add(name, &file, &source)?;
        }
        Ok(templates)
    }

    fn add(&mut self, name: &'static str, file: &str, source: &str) -> Result<(), Error> {
        let wrong = |error: minijinja::Error| {
            let reason = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
            bad(file, error.line().unwrap_or(1), &reason)
        };
        self.0.add_template_owned(name, source.to_owned()).map_err(wrong)?;
        let template = self.0.get_template(name).map_err(wrong)?;
        let used = template.undeclared_variables(false);
        if let Some(unknown) = used.iter().find(|field| !FIELDS.contains(&field.as_str())) {
            return Err(bad(file, line_of(source, unknown), &format!("there is no field \"{unknown}\"")));
        }
        for fields in samples() {
            let text = template.render(fields.value()).map_err(wrong)?;
            let complaint = if name.ends_with(".txt") { complaint(&text, &fields) } else { None };
            complaint.map_or(Ok(()), |(line, reason)| Err(bad(file, line, reason)))?;
        }
        Ok(())
    }

    /// A mail of the fields' kind. `None`: a template that passed at the start fails on these fields.
    pub(crate) fn render(&self, fields: &Fields) -> Option<Rendered> {
        let value = fields.value();
        let fill = |end: &str| {
            let template = self.0.get_template(&format!("{}.{end}", word(fields.kind))).ok()?;
            template.render(value.clone()).ok()
        };
        let (subject, text) = split(&fill("txt")?)?;
        Some(Rendered { subject, text, html: fill("html")? })
    }
}

/// What a text lacks, and where.
fn complaint(text: &str, fields: &Fields) -> Option<(usize, &'static str)> {
    let Some((_, body)) = split(text) else {
        return Some((1, "a text begins with \"Subject: \", a subject, and an empty line"));
    };
    // A mail whose fate is unknown is found again by it.
    let found = body.contains(&fields.reference);
    (!found).then_some((text.lines().count(), "a text shows the field \"reference\" below its subject"))
}

/// The subject and the text behind it.
fn split(text: &str) -> Option<(String, String)> {
    let (subject, text) = text.strip_prefix(SUBJECT)?.split_once('\n')?;
    // What is filled in must not break out of its line.
    let subject = subject.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text.trim_start_matches('\r').strip_prefix('\n')?;
    (!subject.is_empty()).then(|| (subject, text.trim().to_owned()))
}

fn is_folder(folder: &Path) -> Result<(), Error> {
    let reason = "it is no folder: make it, or leave it out for the built-in templates".to_owned();
    folder.is_dir().then_some(()).ok_or(Error::Templates { path: folder.to_owned(), reason })
}

/// A text under a name that no mail has would be passed over without a word. Other files may be there.
fn has_no_others(folder: &Path) -> Result<(), Error> {
    let unreadable =
        |error: std::io::Error| Error::Templates { path: folder.to_owned(), reason: error.to_string() };
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let is_text = path.extension().is_some_and(|end| end == "txt" || end == "html");
        let is_known = BUILT_IN.iter().any(|(name, _)| path.file_name().is_some_and(|file| file == *name));
        if is_text && !is_known {
            let names = BUILT_IN.map(|(name, _)| name).join(", ");
            return Err(Error::Templates {
                path,
                reason: format!("no mail is called so; there are {names}"),
            });
        }
    }
    Ok(())
}

/// The file and what stands in it; none is no error.
fn own(file: &Path) -> Result<Option<(String, String)>, Error> {
    match fs::read_to_string(file) {
        Ok(source) => Ok(Some((file.display().to_string(), source.replace("\r\n", "\n")))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::Templates { path: file.to_owned(), reason: error.to_string() }),
    }
}

fn bad(file: &str, line: usize, reason: &str) -> Error {
    Error::Template { file: file.to_owned(), line, reason: reason.to_owned(), fields: FIELDS.join(", ") }
}

/// The first line that has the word, from 1.
fn line_of(source: &str, word: &str) -> usize {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let has = |line: &str| line.split(|c: char| !is_part(c)).any(|part| part == word);
    source.lines().position(has).map_or(1, |index| index + 1)
}

/// With all there can be, and with what can be missing left out.
fn samples() -> [Fields; 2] {
    let fields = Fields {
        app_name: "App".into(),
        user_id: "user".into(),
        balance: "0.5".into(),
        baseline: "10".into(),
        percent_left: "5".into(),
        top_up_url: Some("https://example.org".into()),
        reference: "0123456789ab".into(),
        kind: NoticeKind::LowCredit,
    };
    [fields.clone(), Fields { top_up_url: None, ..fields }]
}

#[cfg(test)]
#[path = "templates_tests.rs"]
mod tests;
