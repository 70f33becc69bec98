//! `chunkwise bench compare`: verdicts from the raw samples of two reports.

use serde_json::{Value, json};

use crate::support::run;

fn report(folder: &std::path::Path, name: &str, rate: [f64; 4], latency: [f64; 4]) -> String {
    let metric = |name: &str, better: &str, samples: &[f64]| json!({"name": name, "value": samples[1], "unit": "u", "better": better, "samples": samples});
    let metrics = [
        metric("rate", "higher", &rate),
        metric("latency", "lower", &latency),
        metric("steady", "higher", &[1.0, 1.1, 1.2, 1.3]),
        json!({"name": "once", "value": rate[0], "unit": "u", "better": "higher", "samples": [rate[0]]}),
        json!({"name": name, "value": 1.0, "unit": "u", "better": "higher", "samples": [1.0]}),
    ];
    let text =
        json!({"environment": {"date": name, "cores": rate.len(), "build": name}, "metrics": metrics}).to_string();
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn bench_compare_gives_each_figure_its_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let a = report(folder.path(), "a", [100.0, 101.0, 102.0, 103.0], [5.0, 6.0, 7.0, 8.0]);
    let b = report(folder.path(), "b", [120.0, 121.0, 122.0, 123.0], [9.0, 10.0, 11.0, 12.0]);
    let json = folder.path().join("compared.json");
    let said = run(&["bench", "compare", &a, &b, "--json", json.to_str().unwrap()]).successful();
    let text = said.text();
    assert!(text.contains("differs: build: a and b") && !text.contains("differs: date"), "{text}");
    assert!(text.contains("1 better, 1 worse, 1 within the noise, 1 of which nothing is said"), "{text}");
    assert!(text.contains("figures that change by less than 16.2 % are unclear"), "{text}");
    assert!(text.contains("only in one: a") && text.contains("only in one: b"), "{text}");

    let compared: Value = serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
    let verdicts: Vec<_> = compared["metrics"].as_array().unwrap().iter().map(|metric| &metric["judgement"]).collect();
    assert_eq!(verdicts, ["better", "worse", "unclear", "unknown"]);
    assert_eq!(compared["metrics"][0]["a"]["low"], 100.0);

    std::fs::write(folder.path().join("other"), "{}").unwrap();
    let other = folder.path().join("other");
    for (other, wanted) in [(other.to_str().unwrap(), "is not a report"), ("/nowhere.json", "/nowhere.json")] {
        let refused = run(&["bench", "compare", &a, other]);
        assert_ne!(refused.code, 0);
        assert!(refused.stderr.contains(wanted), "{}", refused.stderr);
    }
}
