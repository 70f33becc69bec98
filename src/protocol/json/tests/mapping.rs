use super::{
    super::{Mapping, Node, Path},
    *,
};

const TRADES: &str = r#"
    measurement = "trades"
    rows = "data/*"
    only = { "/e" = "trade", ok = true }
    time = { path = "t", unit = "ms" }
    tags = { symbol = "s", venue = "/venue" }
    [fields]
    price = { path = "p", type = "float" }
    size = { path = "q", type = "integer" }
    raw = "r"
"#;

fn mapped(mapping: &str, message: &str) -> Vec<String> {
    let mapping: Mapping = toml::from_str(mapping).unwrap();
    mapping.validate().unwrap();
    let message = Node::parse(message.as_bytes()).unwrap();
    mapping
        .lines(&message, &[("place", "hall")], Limits::default())
        .map(|line| line.map_or_else(|bad| format!("{} {}: {}", bad.row, bad.path, bad.mistake), |line| shown(&line)))
        .collect()
}

#[test]
fn rows_are_found_filtered_and_typed() {
    let message = r#"{"e": "trade", "venue": "N", "data": [
        {"ok": true, "s": "A", "p": "1.5", "q": "7", "t": 1700000000000},
        {"ok": false, "s": "B", "p": 1, "q": 1, "t": 1},
        {"ok": true, "s": "C", "p": 2, "q": 3, "t": "1700000000000.25", "r": true}]}"#;
    assert_eq!(
        mapped(TRADES, message),
        [
            "trades,place=hall,symbol=A,venue=N price=1.5,size=7i 1700000000000000",
            "trades,place=hall,symbol=C,venue=N price=2.0,raw=true,size=3i 1700000000000250",
        ]
    );
    for other in [r#"{"e": "quote", "data": [{"ok": true}]}"#, r#"{"e": "trade", "data": {}}"#, "[]", "1"] {
        assert_eq!(mapped(TRADES, other), [""; 0], "{other}");
    }
}

#[test]
fn what_does_not_fit_is_a_bad_row() {
    for (row, expected) in [
        (r#"{"ok": true, "t": 1}"#, "1 fields: is missing"),
        (r#"{"ok": true, "p": 1}"#, "1 time: is missing"),
        (r#"{"ok": true, "t": "x", "p": 1}"#, "1 time: is no time"),
        (r#"{"ok": true, "t": "NaN", "p": 1}"#, "1 time: is no time"),
        (r#"{"ok": true, "t": 1e300, "p": 1}"#, "1 time: is outside"),
        (r#"{"ok": true, "t": 1, "p": "inf"}"#, "1 fields.price: is not a finite number"),
        (r#"{"ok": true, "t": 1, "p": true}"#, "1 fields.price: is a truth value"),
        (r#"{"ok": true, "t": 1, "q": 1.5}"#, "1 fields.size: is not a whole number"),
        (r#"{"ok": true, "t": 1, "p": 1, "s": {}}"#, "1 tags.symbol: is an object"),
    ] {
        let outcome = mapped(TRADES, &format!(r#"{{"e": "trade", "data": [{row}]}}"#));
        assert!(outcome[0].starts_with(expected), "{row}: {outcome:?}");
    }
}

#[test]
fn a_bare_number_is_a_row_too() {
    assert_eq!(mapped("measurement = 'm'\nfields = { value = '' }", "21.5"), ["m,place=hall value=21.5"]);
}

#[test]
fn mappings_without_sense_are_refused() {
    for (mapping, reason) in [
        ("measurement = 'm'\nfields = {}", "at least one field"),
        ("measurement = ''\nfields = { v = 'v' }", "must be a name"),
        ("measurement = 'm'\nfields = { v = 'a/*' }", "the only path"),
        ("measurement = 'm'\ntags = { t = '*' }\nfields = { v = 'v' }", "the only path"),
    ] {
        let mapping: Mapping = toml::from_str(mapping).unwrap();
        assert!(mapping.validate().unwrap_err().to_string().contains(reason), "{mapping:?}");
    }
    for text in [
        "measurement = 'm'\nfields = { v = 'a//b' }",
        "measurement = 'm'\nfields = { v = { path = 'v', typ = 'float' } }",
    ] {
        assert!(toml::from_str::<Mapping>(text).is_err(), "{text}");
    }
}

#[test]
fn paths_are_pointers() {
    let message = Node::parse(br#"{"a/b": {"~": [10, 20]}, "list": [{"x": 1}, {"y": 2}, {"x": 3}]}"#).unwrap();
    let path = |text: &str| text.parse::<Path>().unwrap();
    assert_eq!(path("a~1b/~0/1").find(&message, &message), Some(&Node::Number(20.into())));
    assert_eq!(path("/list/2/x").find(&message, &Node::Null), Some(&Node::Number(3.into())));
    assert_eq!(path("list/9").find(&message, &message), None);
    assert_eq!(path("list/*/x").each(&message).len(), 2);
    for text in ["", "/", "a~1b/~0/1", "/list/*/x"] {
        assert_eq!(path(text).to_string(), text);
    }
    for text in ["a//b", "a/", "~2", "a~"] {
        assert!(text.parse::<Path>().is_err(), "{text}");
    }
}
