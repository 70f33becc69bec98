//! The web page in a real browser: what people see, click, drag and type, against what the API says.

mod benchmarks;
mod browser;
mod correlate;
mod explore;
mod exports;
mod hostile;
mod leaving;
mod live;
mod many;
mod outage;
mod shape;
mod store;
mod twins;

use browser::Browser;
