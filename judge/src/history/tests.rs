use super::*;

fn line(what: What) -> Line {
    Line { client: 3, op: 17, at: 5, what }
}

#[test]
fn a_history_is_read_as_it_was_written_but_for_a_line_that_was_cut() {
    let request = Request {
        verb: Verb::Debit,
        app: "demo".into(),
        user: "anna".into(),
        key: Some("k".into()),
        amount: None,
        items: vec![Item { name: "tokens".into(), quantity: 812_000_000, unit_price: 2_500_000 }],
        deadline: Some(9),
    };
    let position = Some(Position { partition: 0, sequence: 12, index: 3 });
    let lines = [
        line(What::Invoke(request)),
        line(What::Ok(Answer { position, balance: Some(7), charged: Some(1), duplicate: true })),
        line(What::Refused(Refusal {
            code: "insufficient_credit".into(),
            needed: Some(2),
            available: Some(1),
        })),
        line(What::Unknown { reason: "no answer in time".into() }),
    ];
    let mut file = Vec::new();
    let mut writer = Writer::new(&mut file);
    lines.iter().for_each(|line| writer.write(line).unwrap());
    assert_eq!(read(&file[..]).unwrap(), lines);
    assert_eq!(read(&file[..file.len() - 1]).unwrap(), lines[..3]);
    let error = read(&b"{\"client\":1}\n"[..]).unwrap_err().to_string();
    assert!(error.starts_with("line 1 of the history is not one"), "{error}");
}

#[test]
fn the_lines_of_the_documentation_are_lines() {
    let text = include_str!("mod.rs");
    let lines: String = text
        .lines()
        .filter_map(|line| line.strip_prefix("//! {"))
        .map(|line| format!("{{{line}\n"))
        .collect();
    assert_eq!(read(lines.as_bytes()).unwrap().len(), 6);
}
