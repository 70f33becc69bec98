use axum::{Router, body::Body, http::StatusCode, middleware::from_fn, middleware::from_fn_with_state, routing::get};
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;

const LOOPBACK: &str = "127.0.0.1:8080";
const BEYOND: &str = "0.0.0.0:8080";

fn check(listen: &str, allowed: &[&str], headers: &[(&str, &str)]) -> u16 {
    let guard = HostGuard::new(listen.parse().unwrap(), allowed.iter().map(|host| (*host).to_owned()));
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    }
    guard.check(Version::HTTP_11, &map).map_or_else(|error| error.status().as_u16(), |()| 200)
}

#[test]
fn on_loopback_only_its_own_names_and_the_allowed_hosts_are_answered() {
    for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:8080", "db.example.org:8080"] {
        assert_eq!(check(LOOPBACK, &["DB.example.org"], &[("host", host)]), 200, "{host}");
    }
    for host in ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "0.0.0.0", "192.168.0.1"] {
        assert_eq!(check(LOOPBACK, &["db.example.org"], &[("host", host)]), 403, "{host}");
    }
}

#[test]
fn a_host_is_needed_once_and_must_be_one() {
    assert_eq!(check(LOOPBACK, &[], &[]), 400);
    assert_eq!(check(LOOPBACK, &[], &[("host", "")]), 400);
    assert_eq!(check(LOOPBACK, &[], &[("host", "a@localhost")]), 400);
    assert_eq!(check(LOOPBACK, &[], &[("host", "localhost"), ("host", "localhost")]), 400);
    let guard = HostGuard::new(LOOPBACK.parse().unwrap(), []);
    assert!(guard.check(Version::HTTP_10, &HeaderMap::new()).is_ok(), "HTTP/1.0 has no Host, and no browser sends it");
}

#[test]
fn on_loopback_only_pages_of_its_own_hosts_may_ask() {
    let origin =
        |origin: &str| check(LOOPBACK, &["grafana.example"], &[("host", "localhost:8080"), ("origin", origin)]);
    for allowed in ["http://localhost:8080", "http://127.0.0.1:3000", "https://[::1]", "https://grafana.example"] {
        assert_eq!(origin(allowed), 200, "{allowed}");
    }
    for refused in ["https://evil.example", "null", "", "file://", "localhost", "http://localhost.evil.example"] {
        assert_eq!(origin(refused), 403, "{refused}");
    }
}

#[test]
fn a_foreign_page_without_an_origin_is_known_by_the_browsers_word() {
    let fetch = |site: &str, mode: &str| {
        check(LOOPBACK, &[], &[("host", "localhost"), ("sec-fetch-site", site), ("sec-fetch-mode", mode)])
    };
    assert_eq!(fetch("cross-site", "no-cors"), 403);
    assert_eq!(fetch("cross-site", "navigate"), 200, "a link to the page");
    assert_eq!(fetch("same-origin", "cors"), 200);
    assert_eq!(fetch("none", "navigate"), 200, "typed into the address bar");
}

#[test]
fn beyond_loopback_a_page_may_ask_the_host_that_it_came_from() {
    let origin = |host: &str, origin: &str| check(BEYOND, &[], &[("host", host), ("origin", origin)]);
    assert_eq!(check(BEYOND, &[], &[("host", "box:8080")]), 200);
    assert_eq!(origin("box:8080", "http://box:8080"), 200);
    assert_eq!(origin("box", "https://BOX:443"), 200);
    assert_eq!(origin("box:8080", "http://box:3000"), 403, "another port is another origin");
    assert_eq!(origin("box:8080", "https://evil.example"), 403);
    assert_eq!(origin("box:8080", "null"), 403);
}

#[test]
fn beyond_loopback_allowed_hosts_are_binding_where_there_are_any() {
    let allowed = &["db.example.org", "grafana.example"];
    assert_eq!(check(BEYOND, allowed, &[("host", "evil.example")]), 403);
    assert_eq!(check(BEYOND, allowed, &[("host", "localhost")]), 403);
    assert_eq!(check(BEYOND, allowed, &[("host", "db.example.org:8080")]), 200);
    let from = |origin| check(BEYOND, allowed, &[("host", "db.example.org:8080"), ("origin", origin)]);
    assert_eq!(from("https://grafana.example"), 200);
    assert_eq!(from("https://evil.example"), 403);
}

#[test]
fn listening_beyond_loopback_needs_to_be_said() {
    let policy = |addr: &str, insecure| listen_policy(addr.parse().unwrap(), insecure).is_ok();
    for loopback in ["127.0.0.1:0", "127.0.0.2:80", "[::1]:8080", "[::ffff:127.0.0.1]:1"] {
        assert!(policy(loopback, InsecureListen::Refuse), "{loopback}");
    }
    for beyond in ["0.0.0.0:8080", "[::]:8080", "192.168.0.1:80", "[::ffff:10.0.0.1]:1"] {
        assert!(!policy(beyond, InsecureListen::Refuse), "{beyond}");
        assert!(policy(beyond, InsecureListen::Allow), "{beyond}");
    }
}

#[tokio::test]
async fn the_middleware_refuses_in_the_envelope_and_every_answer_has_its_headers() {
    let state = Arc::new(HostGuard::new(LOOPBACK.parse().unwrap(), []));
    let own = [(CONTENT_SECURITY_POLICY, "default-src 'none'"), (CACHE_CONTROL, "max-age=60")];
    let router = Router::new()
        .route("/", get(move || async move { (own, "in") }))
        .layer(from_fn_with_state(state, guard))
        .layer(from_fn(security_headers));
    let send = |host: &str| {
        let request = Request::builder().uri("/").header("host", host).body(Body::empty()).unwrap();
        router.clone().oneshot(request)
    };

    let refused = send("evil.example").await.unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert_eq!(refused.headers()["x-content-type-options"], "nosniff");
    assert_eq!(refused.headers()["cache-control"], "no-cache");
    assert_eq!(refused.headers()["content-security-policy"], "default-src 'self'; frame-ancestors 'none'");
    let body: serde_json::Value =
        serde_json::from_slice(&refused.into_body().collect().await.unwrap().to_bytes()).unwrap();
    assert_eq!(body["error"]["code"], "host_not_allowed");

    let passed = send("localhost").await.unwrap();
    assert_eq!(passed.status(), StatusCode::OK);
    assert_eq!(passed.headers()["content-security-policy"], "default-src 'none'");
    assert_eq!(passed.headers()["cache-control"], "max-age=60");
}
