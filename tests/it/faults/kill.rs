//! The program is killed while clients write.

use std::{sync::Arc, time::Duration};

use rustix::process::Signal;

use super::clients::{Log, Otherwise, assert_each_once, assert_present, block_until, clients, join};
use crate::support::{App, TestDatabase};

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9_and_what_is_sent_again_is_there_once() {
    let database = TestDatabase::new().await;
    let log = Arc::new(Log::default());
    // The first round dies while the measurement is being made.
    for acknowledged in [0, 10, 60] {
        let app = Arc::new(App::start(&["up", "--database-url", &database.url()]));
        let writing = clients(4, &app, &log, Otherwise::End);
        let before = log.acknowledged().len();
        block_until("requests under way", Duration::from_secs(30), || {
            !log.begun().is_empty() && log.acknowledged().len() >= before + acknowledged
        });
        app.signal(Signal::KILL);
        join(writing);
        assert!(log.begun().len() > log.acknowledged().len(), "nobody was interrupted");
        assert_present(&database, &log.acknowledged()).await;
    }

    let app = App::start(&["up", "--database-url", &database.url()]);
    for batch in log.begun() {
        batch.send_until_committed(&app);
    }
    assert_each_once(&database, &log.begun()).await;
}
