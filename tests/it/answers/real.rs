//! Real prices, loaded by the program itself. Where they come from: `tests/data/README.md`.

use std::sync::{Arc, Weak};

use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::support::{App, TestDatabase, run};

/// A file of `tests/data`.
macro_rules! data {
    ($name:literal) => {
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/", $name)
    };
}
pub(super) use data;

/// 20 stocks' daily closing prices over 33 years: `prices`, tag `symbol`, field `close`.
pub(crate) const SP500: &str = data!("sp500_prices.csv.gz");
/// 5 stocks' daily prices, which begin on different days: `stocks`, tag `Ticker`, fields `Open`, `Close` and so on.
pub(crate) const STOCKS: &str = data!("stocks_ohlcv.csv.gz");

/// A database with `prices` and `stocks`, and the program on it.
#[derive(Debug)]
pub(crate) struct Real {
    pub(crate) app: App,
    pub(crate) database: TestDatabase,
}

impl Real {
    /// One for all tests that run now and only read.
    pub(crate) async fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Real>> = Mutex::const_new(Weak::new());
        let mut shared = SHARED.lock().await;
        if let Some(real) = shared.upgrade() {
            return real;
        }
        let database = loaded().await;
        let real = Arc::new(Self { app: App::start(&["up", "--database-url", &database.url()]), database });
        *shared = Arc::downgrade(&real);
        real
    }
}

/// A test's own database with `prices` and `stocks`.
pub(crate) async fn loaded() -> TestDatabase {
    let database = TestDatabase::new().await;
    let url = database.url();
    let prices =
        ["load", SP500, "--measurement", "prices", "--wide-tag", "symbol", "--field", "close", "--database-url", &url];
    assert!(run(&prices).successful().text().contains(": 166260 rows written, 0 left out as bad"));
    let columns = ["--tag-columns", "Ticker", "--time-column", "Date"];
    let stocks = [&["load", STOCKS, "--measurement", "stocks", "--database-url", &url], &columns[..]].concat();
    assert!(run(&stocks).successful().text().contains(": 12154 rows written, 0 left out as bad"));
    database
}

/// A question about daily `close` of `prices`, with these fields over its own.
pub(crate) fn ask(fields: Value) -> Value {
    let mut question = json!({ "measurement": "prices", "field": "close", "bucket": "1d" });
    if let (Some(question), Value::Object(fields)) = (question.as_object_mut(), fields) {
        question.extend(fields);
    }
    question
}

/// Apple's log returns in 2020 against everybody's, with these fields over its own.
pub(crate) fn correlation(fields: Value) -> Value {
    let mut question = ask(json!({
        "transform": "log_return", "target": {"symbol": "AAPL"},
        "ranges": [{"from": "2020-01-01T00:00:00Z", "to": "2021-01-01T00:00:00Z"}],
    }));
    if let (Some(question), Value::Object(fields)) = (question.as_object_mut(), fields) {
        question.extend(fields);
    }
    question
}
