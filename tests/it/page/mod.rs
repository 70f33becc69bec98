//! The web page in a real browser: what people see, click, drag and type, against what the API says.

mod browser;
mod correlate;
mod explore;
mod hostile;
mod many;
mod outage;
mod store;

use browser::Browser;
