//! `chunkwise measurement` and `chunkwise chunks`.

use super::{PATIENT, app, chunks, count, lines, write};
use crate::support::{Finished, TestDatabase, run};

fn at(test: &TestDatabase, arguments: &str) -> Finished {
    let url = test.url();
    let mut arguments: Vec<&str> = arguments.split(' ').collect();
    arguments.extend(["--database-url", &url]);
    run(&arguments)
}

#[tokio::test]
async fn chunks_are_explained_sealed_and_dropped_by_hand() {
    let test = TestDatabase::new().await;
    let app = app(&test, &PATIENT);
    write(&app, &lines(2));
    let hot = format!("m,s=a v=0 {}", chrono::Utc::now().timestamp());
    write(&app, hot.as_bytes());
    let names = chunks(&test).await;

    let explained = at(&test, "chunks explain m").successful();
    let text = explained.text();
    assert!(text.contains("hot: its time is over, but rows were written to it within the last 10m"), "{text}");
    assert!(text.contains("hot: its time ends at") && text.contains("kept for ever"), "{text}");

    let sealed = at(&test, &format!("chunks seal m {}", names[0])).successful();
    assert!(sealed.text().contains(&format!("{}: sealed in", names[0])), "{}", sealed.text());
    let all = at(&test, "chunks seal m").successful();
    assert!(all.text().contains(&format!("{}: was sealed", names[0])), "{}", all.text());
    assert!(all.text().contains(&format!("{}: its time is not over", names[2])), "{}", all.text());
    let explained = at(&test, &format!("chunks explain m {}", names[1])).successful();
    assert!(explained.text().contains("sealed: "), "{}", explained.text());
    let listed = at(&test, "chunks list m").successful();
    assert_eq!(listed.text().matches("sealed").count(), 2, "{}", listed.text());

    at(&test, "chunks drop m --before 2020-01-02T00:00:00Z").successful();
    assert_eq!(count(&test, "m").await, 25);
    at(&test, &format!("chunks drop m {}", names[1])).successful();
    assert_eq!(count(&test, "m").await, 1);

    let unknown = at(&test, "chunks explain m no.chunk");
    assert!(unknown.code == 2 && unknown.stderr.contains("chunkwise chunks list m"), "{}", unknown.stderr);
    let unknown = at(&test, "chunks seal n");
    assert!(unknown.code == 2 && unknown.stderr.contains(": m"), "{}", unknown.stderr);
    assert_eq!(at(&test, "chunks drop m").code, 2, "nothing is dropped that was not named");
}

#[tokio::test]
async fn settings_of_a_measurement_are_set_and_listed() {
    let test = TestDatabase::new().await;
    write(&app(&test, &PATIENT), &lines(1));
    at(&test, "measurement set m --retention 40000d --seal-after 2h --chunk-interval 12h").successful();
    let listed = at(&test, "measurement list").successful();
    for cell in ["40000d", "2h", "12h", "24"] {
        assert!(listed.text().contains(cell), "{cell}: {}", listed.text());
    }
    at(&test, "measurement set m --retention none").successful();
    assert_eq!(count(&test, "chunkwise.measurement WHERE retention IS NULL AND seal_after = '2 hours'").await, 1);
    let unknown = at(&test, "measurement set n --retention 30d");
    assert!(unknown.code == 2 && unknown.stderr.contains("no measurement \"n\""), "{}", unknown.stderr);
    let wrong = at(&test, "measurement set m --retention ever");
    assert!(wrong.code == 2 && wrong.stderr.contains("such as 30d"), "{}", wrong.stderr);
    assert_eq!(at(&test, "measurement set m").code, 2, "nothing is set that was not named");
}

#[tokio::test]
async fn a_load_seals_what_it_has_passed() {
    let test = TestDatabase::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("m.csv");
    std::fs::write(&file, "time,s,v\n2019-01-01T00:00:00Z,a,1\n2020-06-01T00:00:00Z,a,2\n").unwrap();
    let url = test.url();
    run(&["load", file.to_str().unwrap(), "--database-url", &url]).successful();
    assert!(count(&test, "chunkwise.chunks WHERE state = 'sealed'").await >= 1);
    assert_eq!(count(&test, "chunkwise.chunks WHERE state = 'hot' AND \"to\" < now() - interval '1 hour'").await, 0);
}
