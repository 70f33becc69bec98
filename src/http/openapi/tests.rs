use std::{collections::BTreeSet, sync::Arc};

use axum::{
    body::Body,
    http::{Request, StatusCode},
    response::Response,
};
use http_body_util::BodyExt;
use ndarray::{Array2, array};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tower::ServiceExt;

mod kinds;

use super::*;
use crate::{
    format::{self, Format, Layout},
    frame::Frame,
    query::{
        AllPairs, AnswerRows, AsofAnswer, CorrelateAnswer, LagAnswer, ListedSeries, MatrixAnswer, Overlaps, Pair,
        Receipt, RollingAnswer, SelectedSeries, SeriesPage, StatColumn, TaggedSeries, WindowAnswer,
    },
    question::{
        Aggregate, AsofQuestion, CorrelateQuestion, LagQuestion, MatrixQuestion, RollingQuestion, Stat, TicksQuestion,
        WindowQuestion,
    },
};

const ROUTES: [(&str, &[&str]); 31] = [
    ("/api/v1/correlate/matrix", &["get", "post"]),
    ("/api/v1/correlate/rolling", &["get", "post"]),
    ("/api/v1/correlate/lag", &["get", "post"]),
    ("/api/v1/correlate/ticks", &["get", "post"]),
    ("/write", &["post"]),
    ("/api/v2/write", &["post"]),
    ("/api/v3/write_lp", &["post"]),
    ("/api/put", &["post"]),
    ("/api/v1/ws/write", &["get"]),
    ("/api/version", &["get", "post"]),
    ("/version", &["get"]),
    ("/query", &["get", "post"]),
    ("/settings", &["get"]),
    ("/ping", &["get", "head"]),
    ("/health", &["get"]),
    ("/ready", &["get"]),
    ("/metrics", &["get"]),
    ("/api/v1/measurements", &["get"]),
    ("/api/v1/series", &["get", "delete"]),
    ("/api/v1/measurements/{name}", &["delete"]),
    ("/api/v1/rows", &["delete"]),
    ("/api/v1/chunks", &["get"]),
    ("/api/v1/dead_letters", &["get"]),
    ("/api/v1/stats", &["get"]),
    ("/api/v1/reports", &["get"]),
    ("/api/v1/reports/{name}", &["get"]),
    ("/api/v1/window", &["get", "post"]),
    ("/api/v1/correlate", &["get", "post"]),
    ("/api/v1/bars", &["get", "post"]),
    ("/api/v1/latest", &["get"]),
    ("/api/v1/asof", &["get", "post"]),
];

fn json() -> Value {
    serde_json::to_value(document()).unwrap()
}

/// What a `$ref` points to, or the value itself.
fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value.get("$ref").and_then(Value::as_str) {
        None => value,
        Some(reference) => document
            .pointer(reference.strip_prefix('#').unwrap())
            .unwrap_or_else(|| panic!("{reference} points nowhere")),
    }
}

fn walk(value: &Value, visit: &mut impl FnMut(&Value)) {
    visit(value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, visit)),
        Value::Object(map) => map.values().for_each(|item| walk(item, visit)),
        _ => {}
    }
}

/// Complains about keys that the schema does not know, and about keys that it requires and the value lacks.
fn check(document: &Value, schema: &Value, value: &Value, path: &str) {
    let schema = resolve(document, schema);
    if let Some(items) = schema.get("items") {
        for item in value.as_array().into_iter().flatten() {
            check(document, items, item, &format!("{path}[]"));
        }
    }
    let Some(properties) = schema.get("properties") else { return };
    for required in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        assert!(value.get(required).is_some(), "{path} lacks {required}");
    }
    for (key, value) in value.as_object().unwrap_or_else(|| panic!("{path} is no object")) {
        let property = properties.get(key).unwrap_or_else(|| panic!("{path}.{key} is not described"));
        check(document, property, value, &format!("{path}.{key}"));
    }
}

#[test]
fn the_description_lists_every_route() {
    let document = json();
    let listed: BTreeSet<&str> = document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    let expected: BTreeSet<&str> = ROUTES.iter().map(|(path, _)| *path).collect();
    assert_eq!(listed, expected);
    for (path, methods) in ROUTES {
        for method in methods {
            let operation = &document["paths"][path][method];
            assert!(operation["summary"].is_string() && operation["operationId"].is_string(), "{method} {path}");
            assert!(!operation["responses"].as_object().unwrap().is_empty(), "{method} {path}");
        }
    }
}

/// The routers are in two modules that do not know each other; their sources name every path.
#[test]
fn every_route_that_a_router_serves_is_described() {
    fn paths(folder: &std::path::Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                paths(&entry.path(), found);
            } else if entry.file_name() != "tests.rs" {
                let source = std::fs::read_to_string(entry.path()).unwrap();
                let paths = source.split(".route(\"").skip(1).filter_map(|rest| rest.split_once('"'));
                found.extend(paths.map(|(path, _)| path.to_owned()));
            }
        }
    }
    let is_page = |path: &str| path == "/" || path.starts_with("/page/");
    let mut served = BTreeSet::new();
    for module in ["src/http", "src/ingest"] {
        paths(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(module), &mut served);
    }
    assert!(served.len() > 15 && served.contains("/write"), "{served:?}");
    let described: BTreeSet<_> = ROUTES.iter().map(|(path, _)| (*path).to_owned()).collect();
    let missing: Vec<_> =
        served.difference(&described).filter(|path| path.starts_with('/') && !is_page(path)).collect();
    assert!(missing.is_empty(), "served and not described: {missing:?}");
}

#[test]
fn every_reference_resolves_and_every_id_is_used_once() {
    let document = json();
    let (mut references, mut ids) = (0, Vec::new());
    walk(&document, &mut |value| {
        if value.get("$ref").is_some_and(Value::is_string) {
            resolve(&document, value);
            references += 1;
        }
        ids.extend(value.get("operationId").and_then(Value::as_str).map(str::to_owned));
    });
    assert!(references > 50);
    assert_eq!(ids.len(), ROUTES.iter().map(|(_, methods)| methods.len()).sum::<usize>());
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
}

#[test]
fn the_questions_of_the_description_are_questions() {
    fn examples<T: DeserializeOwned>(document: &Value, path: &str) -> [T; 2] {
        let item = &document["paths"][path];
        let body = item["post"]["requestBody"]["content"]["application/json"]["example"].clone();
        let parameters = item["get"]["parameters"].as_array().unwrap();
        let q = parameters.iter().find(|parameter| parameter["name"] == "q").unwrap();
        let url = serde_json::from_str(q["schema"]["examples"][0].as_str().unwrap()).unwrap();
        [serde_json::from_value(body).unwrap(), url]
    }
    let document = json();
    for question in examples::<WindowQuestion>(&document, "/api/v1/window") {
        question.validate().unwrap();
    }
    for question in examples::<CorrelateQuestion>(&document, "/api/v1/correlate") {
        question.validate().unwrap();
    }
    for question in examples::<AsofQuestion>(&document, "/api/v1/asof") {
        question.validate().unwrap();
    }
    for question in examples::<MatrixQuestion>(&document, "/api/v1/correlate/matrix") {
        question.validate().unwrap();
    }
    for question in examples::<RollingQuestion>(&document, "/api/v1/correlate/rolling") {
        question.validate().unwrap();
    }
    for question in examples::<LagQuestion>(&document, "/api/v1/correlate/lag") {
        question.validate().unwrap();
    }
    for question in examples::<TicksQuestion>(&document, "/api/v1/correlate/ticks") {
        question.validate().unwrap();
    }
}

/// The fields of a question, as serde writes one in which every optional field is set, against the description.
fn assert_same_fields(name: &str, full: &Value, minimal: &Value) {
    let document = json();
    let schema = &document["components"]["schemas"][name];
    let described: BTreeSet<_> = schema["properties"].as_object().unwrap().keys().collect();
    assert_eq!(described, full.as_object().unwrap().keys().collect(), "{name}");
    assert_eq!(schema["additionalProperties"], false);
    for (field, schema) in schema["properties"].as_object().unwrap() {
        if let Some(default) = schema.get("default") {
            assert_eq!(Some(default), minimal.get(field), "{name}.{field}");
        }
    }
}

#[test]
fn every_field_of_a_question_is_explained() {
    let document = json();
    for name in [
        "WindowQuestion",
        "CorrelateQuestion",
        "MatrixQuestion",
        "RollingQuestion",
        "LagQuestion",
        "TicksQuestion",
        "AsofQuestion",
        "AsofSide",
        "TimeRange",
    ] {
        for (field, schema) in document["components"]["schemas"][name]["properties"].as_object().unwrap() {
            let text = schema["description"].as_str().unwrap_or_default();
            assert!(text.ends_with('.'), "{name}.{field}: {text:?}");
        }
    }
}

#[test]
fn the_fields_and_defaults_of_questions_are_the_real_ones() {
    let mut window: WindowQuestion = serde_json::from_value(questions::window_example()).unwrap();
    let mut minimal = json!({"measurement": "m", "field": "f", "bucket": "1d", "from": 0, "to": 1});
    let parsed: WindowQuestion = serde_json::from_value(minimal.clone()).unwrap();
    window.limit_bytes = Some(1);
    window.also = vec![Aggregate::Max];
    assert_same_fields("WindowQuestion", &json!(window), &json!(parsed));

    let mut correlate: CorrelateQuestion = serde_json::from_value(questions::correlate_example()).unwrap();
    correlate.limit_bytes = Some(1);
    correlate.stats = Some(vec![Stat::QValue]);
    for field in ["from", "to"] {
        minimal.as_object_mut().unwrap().remove(field);
    }
    minimal["target"] = json!({});
    minimal["ranges"] = json!([]);
    let parsed: CorrelateQuestion = serde_json::from_value(minimal).unwrap();
    assert_same_fields("CorrelateQuestion", &json!(correlate), &json!(parsed));

    let side = json!({"measurement": "m", "fields": ["f"]});
    let minimal = json!({"left": side, "right": side, "on": [], "from": 0, "to": 1, "tolerance": "1s"});
    let parsed: AsofQuestion = serde_json::from_value(minimal).unwrap();
    let mut full = parsed.clone();
    full.limit_bytes = Some(1);
    assert_same_fields("AsofQuestion", &json!(full), &json!(parsed));
    assert_same_fields("AsofSide", &json!(full.left), &json!(parsed.left));
}

fn rows() -> AnswerRows {
    let series = TaggedSeries { series_id: 1, tags: vec![Some("AAPL".to_owned())] };
    Arc::new(SelectedSeries { tag_names: vec!["symbol".to_owned()], series: vec![series], version: String::new() })
}

#[test]
fn answers_are_as_described() {
    let document = json();
    let conforms = |name: &str, bytes: Vec<u8>| {
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        check(&document, &document["components"]["schemas"][name], &value, name);
    };

    let frame = Frame { times_us: vec![0], values: array![[1.0]] };
    let mut window = WindowAnswer { rows: rows(), frame, also: Vec::new(), as_of_us: 0, receipt: Receipt::default() };
    conforms("WindowAnswer", format::window(&window, Format::Json, Layout::Long).unwrap());
    window.also.push((Aggregate::Max, array![[2.0]]));
    conforms("WindowAnswer", format::window(&window, Format::Json, Layout::Long).unwrap());

    let question: CorrelateQuestion = serde_json::from_value(questions::correlate_example()).unwrap();
    let one = || Array2::from_elem((2, 1), 0.5);
    let correlate = CorrelateAnswer {
        target: rows().series[0].clone(),
        rows: rows(),
        compared: 1,
        unmatched: Vec::new(),
        ranges: question.ranges.clone(),
        r: one(),
        n: Array2::from_elem((2, 1), 20),
        stats: vec![
            StatColumn::One(Stat::PValue, one()),
            StatColumn::Interval(one(), one()),
            StatColumn::One(Stat::QValue, one()),
        ],
        as_of_us: 0,
        receipt: Receipt::default(),
    };
    conforms("CorrelateAnswer", format::correlate(&correlate, question.top, Format::Json).unwrap());

    conforms("AsofAnswer", format::asof(&AsofAnswer::default(), Format::Json).unwrap());

    let (target, receipt) = (rows().series[0].clone(), Receipt::default());
    let whole = AllPairs::Matrix { r: array![[f32::NAN]], n: Overlaps::Same(1), order: vec![0] };
    let strongest = AllPairs::Strongest(vec![Pair { a: 0, b: 0, r: 0.5, n: 20 }]);
    for pairs in [whole, strongest] {
        let matrix = MatrixAnswer { rows: rows(), pairs, as_of_us: 0, receipt: receipt.clone() };
        conforms("MatrixAnswer", format::matrix(&matrix, Format::Json).unwrap());
    }
    let rolling = RollingAnswer {
        target: target.clone(),
        rows: rows(),
        times_us: vec![0],
        r: array![[0.5]],
        as_of_us: 0,
        receipt: receipt.clone(),
    };
    conforms("RollingAnswer", format::rolling(&rolling, Format::Json).unwrap());
    let lag = LagAnswer {
        target,
        rows: rows(),
        lags: vec![0],
        r: array![[0.5]],
        n: array![[20]],
        best: vec![Some(0)],
        as_of_us: 0,
        receipt,
    };
    conforms("LagAnswer", format::lag(&lag, Format::Json).unwrap());

    let listed = ListedSeries { series: rows().series[0].clone(), first_us: Some(0), last_us: None };
    let listing = SeriesPage { tag_names: rows().tag_names.clone(), rows: vec![listed], next: None, total: 1 };
    conforms("SeriesListing", format::series_list(&listing, Format::Json).unwrap());
}

#[test]
fn examples_of_answers_are_as_described() {
    let document = json();
    let mut checked = 0;
    walk(&document, &mut |value| {
        if let (Some(schema), Some(example)) = (value.get("schema"), value.get("example")) {
            check(&document, schema, example, "example");
            checked += 1;
        }
    });
    assert!(checked > 15);
}

async fn get(path: &str) -> Response {
    router().oneshot(Request::builder().uri(path).body(Body::empty()).unwrap()).await.unwrap()
}

async fn text(response: Response) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn the_document_is_served() {
    let response = get(DOCUMENT_PATH).await;
    assert_eq!(response.status(), StatusCode::OK);
    let served: Value = serde_json::from_str(&text(response).await).unwrap();
    assert_eq!(served, json());
}

#[tokio::test]
async fn the_page_asks_for_nothing_from_elsewhere() {
    let redirect = get(PAGE_PATH).await;
    assert_eq!(redirect.headers()["location"], "/api/docs/");

    let page = get("/api/docs/").await;
    assert_eq!(page.status(), StatusCode::OK);
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'self';") && !policy.contains("unsafe"), "{policy}");
    let html = text(page).await;
    let assets: Vec<&str> = html
        .split(['<', '>'])
        .flat_map(|tag| ["src=\"", "href=\""].into_iter().filter_map(move |name| tag.split_once(name)))
        .filter_map(|(_, rest)| rest.split('"').next())
        .collect();
    assert!(assets.len() >= 5, "{html}");
    for asset in assets {
        assert!(!asset.contains("//"), "{asset} is elsewhere");
        let response = get(&format!("/api/docs/{}", asset.trim_start_matches("./"))).await;
        assert_eq!(response.status(), StatusCode::OK, "{asset}");
    }

    let setup = text(get("/api/docs/swagger-initializer.js").await).await;
    assert!(setup.contains("\"url\": \"/api/openapi.json\"") && !setup.contains("://"), "{setup}");
    assert!(setup.contains("\"validatorUrl\": \"none\""), "the online validator would be asked: {setup}");
}
