//! What holds for every question over HTTP: how it is asked, and how it is refused.

use serde_json::{Value, json};

use super::real::{Real, ask, correlation};

/// A path with the question in its URL.
fn in_url(route: &str, question: &Value) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    format!("/api/v1/{route}?{}", query.append_pair("q", &question.to_string()).finish())
}

/// An answer without what differs from one time to the next.
fn lasting(mut answer: Value) -> Value {
    let object = answer.as_object_mut().unwrap();
    object.remove("as_of").unwrap();
    // A correlation that was asked before reads less.
    object.remove("receipt").unwrap();
    answer
}

fn january(fields: Value) -> Value {
    let mut question = ask(json!({"from": "2020-01-01T00:00:00Z", "to": "2020-02-01T00:00:00Z"}));
    question.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    question
}

#[tokio::test]
async fn a_question_in_the_url_is_the_question_in_the_body() {
    let real = Real::shared().await;
    for (route, question) in [("window", january(json!({}))), ("correlate", correlation(json!({"top": 4})))] {
        let posted = real.app.ask(&format!("/api/v1/{route}"), &question);
        let got = real.app.get(&in_url(route, &question));
        assert_eq!((posted.status, got.status), (200, 200), "{route}");
        assert_eq!(lasting(posted.json()), lasting(got.json()), "{route}");

        assert!(posted.header("etag").is_none());
        let tag = got.header("etag").unwrap();
        let again = real.app.get_with(&in_url(route, &question), &[("if-none-match", tag)]);
        assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, Some(tag)), "{route}");
        let other = question.as_object().unwrap().clone().into_iter().chain([("aggregate".to_owned(), json!("mean"))]);
        let other = real.app.get_with(&in_url(route, &other.collect()), &[("if-none-match", tag)]);
        assert_eq!(other.status, 200, "{route}");
    }
}

#[tokio::test]
async fn times_may_be_milliseconds_and_durations_have_many_names() {
    let real = Real::shared().await;
    let text = real.app.ask("/api/v1/window", &january(json!({}))).json();
    let number =
        real.app.ask("/api/v1/window", &january(json!({"from": 1_577_836_800_000_i64, "to": 1_580_515_200_000_i64})));
    assert_eq!(lasting(text), lasting(number.json()));
    for bucket in ["250ms", "1s", "10s", "1m", "5m", "1h", "1d", "1w", "1mo"] {
        let minute = json!({"bucket": bucket, "from": "2020-01-02T00:00:00Z", "to": "2020-01-02T00:01:00Z"});
        let answer = real.app.ask("/api/v1/window", &january(minute));
        assert_eq!(answer.status, 200, "{bucket}: {}", answer.json());
    }
    let offset = january(json!({"from": "2020-01-01T05:30:00+05:30"}));
    assert_eq!(real.app.ask("/api/v1/window", &offset).json()["times"][0], "2020-01-02T00:00:00Z");
}

#[tokio::test]
async fn what_is_wrong_is_named_by_its_path() {
    let real = Real::shared().await;
    let range = |fields: Value| {
        let mut range = json!({"from": "2020-01-01T00:00:00Z", "to": "2021-01-01T00:00:00Z"});
        range.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        range
    };
    let cases = [
        ("window", january(json!({"colour": "red"})), "colour"),
        ("window", january(json!({"fill": {"locf": {"max_age": "1h", "min_age": "1m"}}})), "fill.locf.min_age"),
        ("window", january(json!({"bucket": "5y"})), "bucket"),
        ("window", january(json!({"bucket": null})), "bucket"),
        ("window", january(json!({"timezone": "Middle/Earth"})), "timezone"),
        ("window", january(json!({"from": "2020-01-01T00:00:00"})), "from"),
        ("window", january(json!({"to": "2019-01-01T00:00:00Z"})), "to"),
        ("window", january(json!({"aggregate": "median"})), "aggregate"),
        ("window", january(json!({"series": {"colour": "red"}})), "series.colour"),
        ("correlate", correlation(json!({"ranges": [range(json!({})), range(json!({"till": 1}))]})), "ranges[1].till"),
        ("correlate", correlation(json!({"ranges": []})), "ranges"),
        ("correlate", correlation(json!({"ranges": vec![range(json!({})); 65]})), "ranges"),
        ("correlate", correlation(json!({"stats": ["p_value", "r2"]})), "stats[1]"),
        ("correlate", correlation(json!({"rank_by": 1, "top": 5})), "rank_by"),
        ("correlate", correlation(json!({"method": "kendall"})), "method"),
        ("correlate", correlation(json!({"target": {"colour": "red"}})), "target.colour"),
    ];
    for (route, question, path) in cases {
        for answer in [real.app.ask(&format!("/api/v1/{route}"), &question), real.app.get(&in_url(route, &question))] {
            let body = answer.json();
            assert_eq!((answer.status, &body["error"]["details"]["path"]), (400, &json!(path)), "{question}: {body}");
            assert!(body["error"]["message"].as_str().unwrap().len() > path.len(), "{body}");
        }
    }
    let missing = real.app.ask("/api/v1/window", &json!({"measurement": "prices", "field": "close", "bucket": "1d"}));
    assert_eq!((missing.status, &missing.json()["error"]["details"]["path"]), (400, &json!("from")));
}

#[tokio::test]
async fn what_is_not_there_is_a_404_that_names_what_resembles_it() {
    let real = Real::shared().await;
    for (fields, code, near) in [
        (json!({"measurement": "pricse"}), "unknown_measurement", json!(["prices"])),
        (json!({"measurement": "Stocks"}), "unknown_measurement", json!(["stocks"])),
        (json!({"field": "Close"}), "unknown_field", json!(["close"])),
        (json!({"namespace": "nowhere"}), "unknown_measurement", json!([])),
    ] {
        let answer = real.app.ask("/api/v1/window", &january(fields));
        let error = &answer.json()["error"];
        assert_eq!((answer.status, &error["code"], &error["details"]["near"]), (404, &json!(code), &near), "{error}");
        let message = error["message"].as_str().unwrap();
        assert_eq!(message.contains("did you mean"), near != json!([]), "{message}");
    }
    let nobody = real.app.ask("/api/v1/correlate", &correlation(json!({"target": {"symbol": "AAPLE"}})));
    assert_eq!((nobody.status, &nobody.json()["error"]["code"]), (404, &json!("unknown_series")));
}

#[tokio::test]
async fn an_ambiguous_target_names_ten_of_those_it_may_mean() {
    let real = Real::shared().await;
    for (target, total, named) in [(json!({}), 20, 10), (json!({"symbol": ["AAPL", "MSFT", "XOM"]}), 3, 3)] {
        let answer = real.app.ask("/api/v1/correlate", &correlation(json!({ "target": target })));
        let error = answer.json()["error"].take();
        assert_eq!((answer.status, &error["code"]), (400, &json!("ambiguous_target")));
        let matches = error["details"]["matches"].as_array().unwrap();
        assert_eq!((&error["details"]["total"], matches.len()), (&json!(total), named));
        assert_eq!((&matches[0]["series_id"], &matches[0]["tags"]), (&json!(1), &json!({"symbol": "AAPL"})));
        // The advice works: the id of one of them is a target.
        let by_id = json!({"target": {"series_id": matches[1]["series_id"]}});
        let answer = real.app.ask("/api/v1/correlate", &correlation(by_id));
        assert_eq!(answer.json()["target"]["tags"], matches[1]["tags"]);
    }
}

#[tokio::test]
async fn a_format_that_a_question_has_not_is_a_406_and_other_routes_do_not_look() {
    let real = Real::shared().await;
    let body = january(json!({})).to_string();
    let picture = real.app.post_with("/api/v1/window", &[("accept", "image/png")], body.as_bytes());
    assert_eq!(picture.status, 406);
    assert_eq!(picture.json()["error"]["details"]["formats"], json!(["json", "npy", "npz", "arrow", "csv"]));
    assert_eq!(real.app.ask("/api/v1/window?format=xlsx", &january(json!({}))).status, 406);
    let listing = real.app.get_with("/api/v1/series?measurement=prices", &[("accept", "application/x-npy")]);
    assert_eq!(
        (listing.status, &listing.json()["error"]["details"]["formats"]),
        (406, &json!(["json", "arrow", "csv"]))
    );
    for path in ["/api/v1/measurements", "/api/v1/chunks", "/api/v1/stats", "/health", "/api/openapi.json"] {
        let answer = real.app.get_with(path, &[("accept", "image/png")]);
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.json().is_object(), "{path}");
    }
    let either = [("accept", "image/png, text/csv;q=0.5, application/x-npy;q=0.1")];
    let csv = real.app.post_with("/api/v1/window", &either, body.as_bytes());
    assert!(csv.body.starts_with(b"series_id,symbol,time,value\n"));
}

#[tokio::test]
async fn a_window_gives_further_aggregates_of_the_same_reading() {
    let real = Real::shared().await;
    let month = |fields: Value| {
        let mut all = json!({"bucket": "1mo", "aggregate": "max"});
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        january(all)
    };
    let several = month(json!({"also": ["min", "count"], "series": {"symbol": ["AAPL", "MSFT"]}}));
    let answer = real.app.ask("/api/v1/window", &several).json();
    for (aggregate, found) in
        [("max", &answer["values"]), ("min", &answer["also"]["min"]), ("count", &answer["also"]["count"])]
    {
        let single = month(json!({"aggregate": aggregate, "series": {"symbol": ["AAPL", "MSFT"]}}));
        assert_eq!(*found, real.app.ask("/api/v1/window", &single).json()["values"], "{aggregate}");
    }
    assert_eq!(answer["also"]["count"], json!([[21.0], [21.0]]));
    assert!(real.app.ask("/api/v1/window", &month(json!({}))).json().get("also").is_none());

    let csv = real.app.ask("/api/v1/window?format=csv", &several);
    assert!(csv.body.starts_with(b"series_id,symbol,time,value,min,count\n"), "{}", String::from_utf8_lossy(&csv.body));
    let npz = real.app.ask("/api/v1/window?format=npz", &several);
    let mut arrays = ndarray_npy::NpzReader::new(std::io::Cursor::new(npz.body)).unwrap();
    assert_eq!(arrays.names().unwrap(), ["values", "min", "count", "series_id", "times"]);
    let count: ndarray::Array2<f64> = arrays.by_name("count").unwrap();
    assert_eq!(count, ndarray::array![[21.0], [21.0]]);

    let npy = real.app.ask("/api/v1/window?format=npy", &several);
    assert_eq!(
        (npy.status, &npy.json()["error"]["details"]["formats"]),
        (406, &json!(["json", "npz", "arrow", "csv"]))
    );
    for (path, fields, about) in [
        ("?format=csv&layout=wide", json!({"also": ["min"]}), "also"),
        ("", json!({"also": ["max"]}), "also[0]"),
        ("", json!({"also": ["min", "min"]}), "also[1]"),
        ("", json!({"also": ["median"]}), "also"),
    ] {
        let refused = real.app.ask(&format!("/api/v1/window{path}"), &month(fields.clone()));
        let error = refused.json()["error"].take();
        assert_eq!(refused.status, 400, "{fields}: {error}");
        assert!(error.to_string().contains(about), "{fields}: {error}");
    }
}

#[tokio::test]
async fn a_question_over_its_limit_is_a_413_with_both_figures() {
    let real = Real::shared().await;
    let question = |limit: u64| correlation(json!({ "limit_bytes": limit }));
    let refused = real.app.ask("/api/v1/correlate", &question(5_000));
    let error = refused.json()["error"].take();
    assert_eq!(
        (refused.status, &error["code"], &error["details"]["limit_bytes"]),
        (413, &json!("too_large"), &json!(5_000))
    );
    let estimate = error["details"]["estimate_bytes"].as_u64().unwrap();
    // At least a float64 for every series and day of the year.
    assert!(estimate >= 20 * 366 * 8, "{estimate}");
    assert!(error["message"].as_str().unwrap().contains(&estimate.to_string()), "{error}");
    // The estimate is one: with twice as much the question is answered.
    assert_eq!(real.app.ask("/api/v1/correlate", &question(2 * estimate)).status, 200);
}
