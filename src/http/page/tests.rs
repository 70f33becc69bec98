use axum::{
    body::Body,
    http::{Request, Response},
};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::*;

async fn get(path: &str, headers: &[(HeaderName, &str)]) -> Response<Body> {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    page_router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn bytes(response: Response<Body>) -> Vec<u8> {
    response.into_body().collect().await.unwrap().to_bytes().to_vec()
}

#[tokio::test]
async fn the_page_has_a_strict_policy_and_everything_that_it_names() {
    let page = get("/", &[]).await;
    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(page.headers()[CONTENT_TYPE], "text/html; charset=utf-8");
    let policy = page.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(!policy.contains("unsafe") && policy.contains("default-src 'none'"), "{policy}");
    let text = String::from_utf8(bytes(page).await).unwrap();
    let named: Vec<&str> = text.split('"').filter(|part| part.starts_with("/page/")).collect();
    assert!(named.len() > 3, "{text}");
    for path in named {
        let file = get(path, &[]).await;
        assert_eq!(file.status(), StatusCode::OK, "{path}");
        assert!(file.headers().contains_key(CONTENT_SECURITY_POLICY), "{path}");
    }
}

#[tokio::test]
async fn a_file_is_sent_again_only_if_it_has_changed() {
    let first = get("/", &[]).await;
    let tag = first.headers()[ETAG].to_str().unwrap().to_owned();
    let again = get("/", &[(IF_NONE_MATCH, &format!("\"other\", W/{tag}"))]).await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(again.headers()[ETAG], tag.as_str());
    assert!(bytes(again).await.is_empty());
    assert_eq!(get("/", &[(IF_NONE_MATCH, "\"other\"")]).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn files_are_compressed_for_those_who_take_it() {
    use std::io::Read as _;
    let plain = get("/", &[(ACCEPT_ENCODING, "br, gzip;q=0")]).await;
    assert!(!plain.headers().contains_key(CONTENT_ENCODING));
    let packed = get("/", &[(ACCEPT_ENCODING, "br;q=1, gzip")]).await;
    assert_eq!(packed.headers()[CONTENT_ENCODING], "gzip");
    assert_eq!(packed.headers()[VARY], "accept-encoding");
    assert_ne!(packed.headers()[ETAG], plain.headers()[ETAG]);
    let (plain, packed) = (bytes(plain).await, bytes(packed).await);
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, plain);
}

#[tokio::test]
async fn nothing_but_the_pages_own_files_is_served() {
    for path in ["/page/", "/page/none.js", "/page/js", "/page/../Cargo.toml", "/page/%2e%2e/Cargo.toml", "/page/.html"]
    {
        assert_eq!(get(path, &[]).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
}
