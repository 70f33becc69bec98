//! Names from outside stay text, whatever they are.

use super::Browser;
use crate::support::{App, TestDatabase};

const NAMES: [&str; 6] = [
    "<script>document.title='broken'</script>",
    "<img src=x onerror=document.title='broken'>",
    "it's \"quoted\" & `ticked` ${1+1}",
    "مرحبا بالعالم",
    "\u{202e}desrever",
    "a&b=c#d?e/f%20",
];

#[tokio::test]
async fn hostile_names_are_shown_as_text_and_survive_a_link() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let Some(mut browser) = Browser::start().await else { return };
    let mut lines = String::new();
    for (number, name) in NAMES.iter().enumerate() {
        let tag = name.replace('\\', "\\\\").replace(' ', "\\ ").replace(',', "\\,").replace('=', "\\=");
        for minute in 0..60_usize {
            let value = ((minute * (number + 3)) % 17) as f64 + minute as f64 / 10.0 + 1.0;
            lines += &format!("odd,na<b>me={tag} val\"ue={value} {}\n", 1_700_000_000 + minute * 60);
        }
    }
    let written = app.post("/write?precision=s", lines.as_bytes());
    assert_eq!(written.status, 204, "{}", String::from_utf8_lossy(&written.body));

    browser.open(&format!("{}/", app.base)).await;
    browser.wait("document.querySelector('#ranking')?.dataset.state === 'ready'").await;
    browser.wait("document.querySelector('#heat').dataset.state === 'ready'").await;
    let shown = "[document.querySelector('#chart-title bdi').textContent, \
                 ...[...document.querySelectorAll('.ranking tbody th')].map(name => name.textContent)]";
    let mut names: Vec<String> = serde_json::from_value(browser.eval(shown).await).unwrap();
    names.sort();
    let mut expected = NAMES.map(str::to_owned);
    expected.sort();
    assert_eq!(names, expected);
    assert_eq!(browser.eval("document.querySelectorAll('main script, main img, main b').length").await, 0);

    // Each as the target, in a link that is opened anew.
    for name in NAMES {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("m", "odd")
            .append_pair("bucket", "1m")
            .append_pair("tag.na<b>me", name)
            .append_pair("range", "2023-11-14T22:00:00Z..2023-11-15T00:00:00Z")
            .finish();
        browser.open(&format!("{}/#/correlate?{query}", app.base)).await;
        browser.wait("document.querySelector('#ranking')?.dataset.state === 'ready'").await;
        assert_eq!(browser.text("document.querySelector('#chart-title bdi').textContent").await, name);
        assert_eq!(browser.eval("document.querySelectorAll('.ranking tbody tr').length").await, 5);
    }
    assert_ne!(browser.text("document.title").await, "broken");
    assert_eq!(browser.complaints(), []);
}
