//! The same from a shell.

use super::filled;
use crate::support::run;

#[tokio::test]
async fn commands_show_what_would_go_and_want_a_yes() {
    let (database, app) = filled().await;
    let url = database.url();
    let shell = |line: &str| run(&line.split_whitespace().chain(["--database-url", &url]).collect::<Vec<_>>());
    let listed = shell("series list m --tag s=A").successful();
    assert!(
        listed.text().contains("2024-01-01T02:59:00Z") && listed.text().contains("1 of 1 series"),
        "{}",
        listed.text()
    );

    for (line, shows) in [
        ("measurement drop m", "the measurement m with 2 series"),
        ("series drop m --tag s=A", "1 series of m (s=A)"),
        (
            "measurement delete-range m --from 2024-01-01 --to 2024-01-02",
            "all rows of all series of m from 2024-01-01T00:00:00Z",
        ),
    ] {
        let refused = shell(line);
        assert_eq!(refused.code, 2, "{}", refused.stderr);
        assert!(refused.stderr.contains(shows) && refused.stderr.contains("--yes"), "{}", refused.stderr);
    }
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM m").await, 360);
    assert_eq!(shell("measurement drop n --yes").code, 2);
    let told =
        shell("measurement delete-range m --from 2024-01-01T01:00:00Z --to 2024-01-02 --tag s=B --yes").successful();
    assert_eq!(told.text(), "120 rows deleted\n");
    assert_eq!(shell("series drop m --tag s=A --yes").successful().text(), "180 rows deleted\n");
    assert_eq!(shell("measurement drop m --yes").successful().text(), "60 rows deleted\n");
    assert_eq!(app.get("/api/v1/measurements").json()["measurements"].as_array().unwrap().len(), 0);
}
