//! collectd, which watches a machine, with its plugin `write_tsdb`.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use super::{columns, rows};
use crate::support::{App, Process, TestDatabase, program, wait_until};

/// Where packages are unpacked instead of installed, its own folders are not where it was built for.
fn own_folders(program: &Path) -> String {
    let Some(tree) = program.ancestors().nth(2).map(|folder| folder.join("tree/usr")).filter(|tree| tree.is_dir())
    else {
        return String::new();
    };
    let (plugins, types) = (tree.join("lib/collectd"), tree.join("share/collectd/types.db"));
    format!("PluginDir \"{}\"\nTypesDB \"{}\"", plugins.display(), types.display())
}

fn configuration(program: &Path, folder: &Path, host: &str, port: &str) -> String {
    let (folder, own_folders) = (folder.display(), own_folders(program));
    format!(
        r#"{own_folders}
Hostname "probe"
FQDNLookup false
Interval 1
BaseDir "{folder}"
PIDFile "{folder}/collectd.pid"
LoadPlugin load
LoadPlugin memory
LoadPlugin write_tsdb
<Plugin write_tsdb>
  <Node "chunkwise">
    Host "{host}"
    Port "{port}"
    HostTags "site=test"
  </Node>
</Plugin>
"#
    )
}

#[tokio::test]
async fn collectd_writes_the_load_and_the_memory_of_this_machine_each_second() {
    let Some(program) = program(&["collectd"]) else {
        // Not `eprintln!`, which is not seen when a test passes.
        let told = writeln!(std::io::stderr(), "SKIPPED: collectd is not installed (apt-get install collectd-core)");
        return told.unwrap();
    };
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let address = app.said("listening for OpenTSDB on ");
    let (host, port) = address.trim().rsplit_once(':').unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("collectd.conf");
    fs::write(&file, configuration(&program, folder.path(), host, port)).unwrap();
    let mut command = Command::new(&program);
    command.arg("-f").arg("-C").arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let _running = Process::spawn(&mut command);

    let views = ["load.load.shortterm", "memory.used.memory"];
    for view in views {
        wait_until(&format!("{view} has two rows"), async || {
            database.scalar::<bool>(&format!("SELECT to_regclass('\"{view}\"') IS NOT NULL")).await
                && database.scalar::<i64>(&format!("SELECT count(*) FROM \"{view}\"")).await >= 2
        })
        .await;
        let view = format!("\"{view}\"");
        assert_eq!(
            columns(&database, &view).await,
            "fqdn text, site text, time timestamp with time zone, value double precision"
        );
        let sound = format!(
            "SELECT fqdn, site, bool_and(value >= 0) AS sound, bool_and(time = date_trunc('second', time)) AS whole,
                    bool_and(time BETWEEN now() - interval '1 minute' AND now() + interval '1 minute') AS now
             FROM {view} GROUP BY fqdn, site"
        );
        assert_eq!(
            rows(&database, &sound).await,
            [r#"{"fqdn":"probe","site":"test","sound":true,"whole":true,"now":true}"#]
        );
    }
}
