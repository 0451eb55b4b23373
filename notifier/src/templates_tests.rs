//! The built-in templates, and those of others.

use super::*;

const KINDS: [NoticeKind; 4] =
    [NoticeKind::LowCredit, NoticeKind::Paused, NoticeKind::Restored, NoticeKind::PlanSuggestion];

fn fields(kind: NoticeKind) -> Fields {
    Fields { kind, balance: "0.000001".into(), app_name: "Tom & \"Co\"".into(), ..samples()[0].clone() }
}

/// A folder with these files in it.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn refusal(name: &str, text: &str) -> String {
    Templates::load(Some(folder(&[(name, text)]).path())).unwrap_err().to_string()
}

#[test]
fn every_kind_has_a_mail_in_text_and_html() {
    let templates = Templates::load(None).unwrap();
    for kind in KINDS {
        let mail = templates.render(&fields(kind)).unwrap();
        assert!(mail.subject.starts_with("Tom & \"Co\": "), "{mail:?}");
        for part in [&mail.text, &mail.html] {
            assert!(part.contains("0.000001 USDC") && part.contains("Reference: 0123456789ab"), "{part}");
            assert!(!part.contains("{{") && !part.contains("{%"), "{part}");
        }
        assert!(mail.text.starts_with("Hello,") && !mail.text.contains("\n\n\n"), "{}", mail.text);
        assert!(mail.html.starts_with("<!doctype html>"), "{}", mail.html);
    }
}

#[test]
fn html_is_escaped_and_text_is_not() {
    let templates = Templates::load(None).unwrap();
    let evil = Fields { user_id: "<script>alert('x')</script>".into(), ..fields(NoticeKind::LowCredit) };
    let mail = templates.render(&evil).unwrap();
    assert!(mail.text.contains("Account: <script>alert('x')</script>"), "{}", mail.text);
    assert!(!mail.html.contains("<script>") && mail.html.contains("&lt;script&gt;"), "{}", mail.html);
    assert!(mail.html.contains("Tom &amp; &quot;Co&quot;"), "{}", mail.html);
}

#[test]
fn without_an_address_for_topping_up_nothing_is_said_of_it() {
    let templates = Templates::load(None).unwrap();
    for kind in [NoticeKind::LowCredit, NoticeKind::Paused, NoticeKind::PlanSuggestion] {
        let with = templates.render(&fields(kind)).unwrap();
        assert!(with.text.contains(": https://example.org\n"), "{}", with.text);
        assert!(with.html.contains("<a href=\"https:"), "{}", with.html);
        let without = templates.render(&Fields { top_up_url: None, ..fields(kind) }).unwrap();
        assert!(!without.text.contains("here:") && !without.text.contains("none"), "{}", without.text);
        assert!(!without.html.contains("<a") && !without.text.contains("\n\n\n"), "{}", without.text);
    }
}

#[test]
fn a_subject_stays_one_line() {
    let templates = Templates::load(None).unwrap();
    let two = Fields { app_name: "A\r\nBcc: all@example.org".into(), ..fields(NoticeKind::Restored) };
    // A line end in a name would begin the text too early: such a mail is not made.
    assert!(templates.render(&two).is_none_or(|mail| !mail.subject.contains(['\r', '\n'])));
}

#[test]
fn a_file_of_the_same_name_replaces_a_template() {
    let own = "Subject: {{ kind }} at {{ app_name }}\r\n\r\nRef {{ reference }}, {{ percent_left }} %\r\n";
    let folder = folder(&[("paused.txt", own)]);
    let templates = Templates::load(Some(folder.path())).unwrap();
    let paused = templates.render(&fields(NoticeKind::Paused)).unwrap();
    assert_eq!(paused.subject, "paused at Tom & \"Co\"");
    assert_eq!(paused.text, "Ref 0123456789ab, 5 %");
    let built_in = Templates::load(None).unwrap();
    assert_eq!(paused.html, built_in.render(&fields(NoticeKind::Paused)).unwrap().html);
    let low = fields(NoticeKind::LowCredit);
    assert_eq!(templates.render(&low), built_in.render(&low));
}

#[test]
fn a_bad_template_is_an_error_with_its_file_its_line_and_the_fields() {
    for (name, text, place, reason) in [
        ("paused.html", "<p>\n{{ balanc }}", "paused.html:2: ", "no field \"balanc\""),
        ("paused.html", "\n\n{% if balance %}x", "paused.html:3: ", ""),
        ("paused.html", "{{ balance", "paused.html:1: ", ""),
        ("paused.html", "a\n{{ balance|euro }}", "paused.html:2: ", "euro"),
        ("low_credit.txt", "Hello {{ reference }}", "low_credit.txt:1: ", "Subject: "),
        ("low_credit.txt", "Subject: x\n{{ reference }}", "low_credit.txt:1: ", "empty line"),
        ("low_credit.txt", "Subject: {{ reference }}\n\nx", "low_credit.txt:3: ", "\"reference\""),
    ] {
        let said = refusal(name, text);
        assert!(said.contains(place) && said.contains(reason), "{said}");
        let names = "app_name, user_id, balance, baseline, percent_left, top_up_url, reference, kind";
        assert!(said.ends_with(names), "{said}");
    }
}

#[test]
fn a_folder_that_is_not_there_is_an_error_and_an_empty_one_is_not() {
    let folder = folder(&[]);
    assert!(Templates::load(Some(folder.path())).is_ok());
    let said = Templates::load(Some(&folder.path().join("none"))).unwrap_err().to_string();
    assert!(said.contains("none: it is no folder"), "{said}");
    fs::create_dir(folder.path().join("paused.txt")).unwrap();
    assert!(Templates::load(Some(folder.path())).is_err());
}

#[test]
fn a_file_that_no_mail_is_called_by_is_an_error() {
    let said = Templates::load(Some(folder(&[("pausd.txt", "Subject: x")]).path())).unwrap_err().to_string();
    assert!(said.contains("pausd.txt: no mail is called so; there are low_credit.txt, "), "{said}");
    assert!(Templates::load(Some(folder(&[("README.md", "x"), (".paused.txt.swp", "x")]).path())).is_ok());
}
