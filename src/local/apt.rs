//! apt-get with a private state: another suite's packages, this machine's mirror and proxy, signatures checked by apt.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

use super::error::fetching;
use super::process::{command, output};
use super::{CommandError, FetchError, Progress, Step, account};

const SUITE: &str = "trixie";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// How often the progress of a download is looked at.
const GLANCE: Duration = Duration::from_millis(200);

/// This machine's distribution, from `/etc/os-release`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct System {
    /// `debian`, `ubuntu`, ...; the name of the operating system where there is no such file.
    pub(super) id: String,
    codename: Option<String>,
}

impl System {
    pub(super) fn of_this_machine() -> Self {
        Self::parse(&fs::read_to_string("/etc/os-release").unwrap_or_default())
    }

    fn parse(os_release: &str) -> Self {
        let value = |key: &str| {
            let value = os_release.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
            Some(value.trim().trim_matches('"').to_owned())
        };
        Self { id: value("ID").unwrap_or_else(|| std::env::consts::OS.to_owned()), codename: value("VERSION_CODENAME") }
    }
}

/// Debian's mirrors that this machine's own apt uses.
#[derive(Debug, PartialEq, Eq)]
struct Mirrors {
    main: String,
    security: Option<String>,
}

impl Mirrors {
    /// What `apt-get indextargets` is asked for.
    const FORMAT: &str = "$(CREATED_BY) $(COMPONENT) $(RELEASE) $(REPO_URI)";

    fn parse(listing: &str, codename: Option<&str>) -> Option<Self> {
        let main = listing.lines().filter_map(|line| line.strip_prefix("Packages main ")?.split_once(' '));
        let is_debian = |release: &str| Some(release) == codename || ["stable", "oldstable", SUITE].contains(&release);
        Some(Self {
            main: main.clone().find(|(release, _)| is_debian(release))?.1.to_owned(),
            security: main.clone().find(|(release, _)| release.ends_with("-security")).map(|(_, uri)| uri.to_owned()),
        })
    }

    /// Sources of the suite that is wanted, in apt's one-line format.
    fn sources(&self, architecture: &str) -> String {
        let options = format!("[arch={architecture} target=Packages signed-by={KEYRING}]");
        let mut sources = format!("deb {options} {} {SUITE} main\n", self.main);
        if let Some(security) = &self.security {
            sources.extend([format!("deb {options} {security} {SUITE}-security main\n")]);
        }
        sources
    }
}

/// apt-get with everything that it writes in one folder.
#[derive(Debug)]
pub(super) struct Apt {
    folder: PathBuf,
}

impl Apt {
    /// Prepares the folder, which must not exist yet.
    pub(super) async fn new(system: &System, folder: &Path, architecture: &str) -> Result<Self, FetchError> {
        let keyring = PathBuf::from(KEYRING);
        if !keyring.exists() {
            return Err(FetchError::Keyring { keyring });
        }
        // Without --no-release-info only those sources are told whose lists were fetched: none, in a fresh container.
        let asked =
            output(command("apt-get").args(["indextargets", "--no-release-info", "--format", Mirrors::FORMAT])).await?;
        let mirrors = Mirrors::parse(&asked, system.codename.as_deref()).ok_or(FetchError::NoMirror)?;

        for made in ["lists/partial", "archives/partial", "cache"] {
            let made = folder.join(made);
            fs::create_dir_all(&made).map_err(fetching("create", &made))?;
        }
        // Hooks of this machine are for its own packages, and may need root.
        let hooks = "#clear APT::Update::Pre-Invoke;\n#clear APT::Update::Post-Invoke;\n#clear APT::Update::Post-Invoke-Success;\n";
        for (name, text) in [("status", ""), ("apt.conf", hooks), ("sources.list", &mirrors.sources(architecture))] {
            let path = folder.join(name);
            fs::write(&path, text).map_err(fetching("write", &path))?;
        }
        Ok(Self { folder: folder.to_owned() })
    }

    /// Downloads a package and all that it depends on; gives the files.
    pub(super) async fn download(&self, package: &str, progress: Progress<'_>) -> Result<Vec<PathBuf>, FetchError> {
        progress(Step::ReadingPackageLists);
        // apt-get succeeds with the lists that it has when a source cannot be reached, unless told otherwise.
        self.run("read the package lists", self.command().args(["-o", "APT::Update::Error-Mode=any", "update"]))
            .await?;
        let listed =
            self.run("list the packages", self.command().args(["install", "-y", "--print-uris", package])).await?;
        let (packages, total_bytes) = announced(&listed);

        let archives = self.folder.join("archives");
        let mut install = self.command();
        let downloading =
            self.run("download the packages", install.args(["install", "-y", "--download-only", package]));
        let mut downloading = std::pin::pin!(downloading);
        loop {
            let done_bytes = bytes_in(&archives).min(total_bytes);
            progress(Step::Downloading { done_bytes, total_bytes, packages });
            if let Ok(finished) = tokio::time::timeout(GLANCE, &mut downloading).await {
                finished?;
                break;
            }
        }
        progress(Step::Downloading { done_bytes: total_bytes, total_bytes, packages });
        let entries = fs::read_dir(&archives).map_err(fetching("read", &archives))?;
        let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
        Ok(files.filter(|path| path.extension().is_some_and(|extension| extension == "deb")).collect())
    }

    async fn run(&self, doing: &'static str, command: &mut Command) -> Result<String, FetchError> {
        output(command).await.map_err(|error| match error {
            CommandError::Failed { said, .. }
                if ["NO_PUBKEY", "Missing key"].iter().any(|sign| said.contains(sign)) =>
            {
                FetchError::Keyring { keyring: KEYRING.into() }
            }
            CommandError::Failed { said, .. } => FetchError::Apt { doing, said },
            not_run @ CommandError::NotRun { .. } => not_run.into(),
        })
    }

    fn command(&self) -> Command {
        let mut command = command("apt-get");
        command.arg("-q").arg("-c").arg(self.folder.join("apt.conf"));
        let places = [
            ("Dir::Etc::SourceList", "sources.list"),
            ("Dir::State::Lists", "lists"),
            ("Dir::State::Status", "status"),
            ("Dir::State::extended_states", "extended_states"),
            ("Dir::Cache", "cache"),
            ("Dir::Cache::Archives", "archives"),
        ];
        for (option, name) in places {
            command.arg("-o").arg(format!("{option}={}", self.folder.join(name).display()));
        }
        let mut options = vec![
            "Dir::Etc::SourceParts=/dev/null",
            "Dir::Etc::Preferences=/dev/null",
            "Dir::Etc::PreferencesParts=/dev/null",
            "APT::Default-Release=",
            "APT::Install-Recommends=false",
            "APT::Keep-Downloaded-Packages=true",
            "Acquire::Languages=none",
            "Acquire::Retries=3",
        ];
        if !account::is_root() {
            // There is no account to step down to, and no lock but chunkwise's own to hold.
            options.extend(["APT::Sandbox::User=", "Debug::NoLocking=true"]);
        }
        for option in options {
            command.arg("-o").arg(option);
        }
        command
    }
}

/// Number of packages and their size, from lines like `'http://.../a_1_all.deb' a_1_all.deb 12345 SHA256:...`.
fn announced(listing: &str) -> (usize, u64) {
    let sizes = listing
        .lines()
        .filter(|line| line.starts_with('\''))
        .filter_map(|line| line.rsplit(' ').nth(1)?.parse::<u64>().ok());
    sizes.fold((0, 0), |(packages, bytes), size| (packages + 1, bytes + size))
}

/// Size of the files in the folder and in the `partial` below it; files that vanish meanwhile count nothing.
fn bytes_in(archives: &Path) -> u64 {
    let entries =
        [archives.to_owned(), archives.join("partial")].into_iter().filter_map(|folder| fs::read_dir(folder).ok());
    let files = entries.flatten().filter_map(|entry| entry.ok()?.metadata().ok()).filter(fs::Metadata::is_file);
    files.map(|file| file.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distribution_is_the_id_and_not_what_it_is_like() {
        let debian = System::parse("PRETTY_NAME=\"Debian GNU/Linux 12\"\nVERSION_CODENAME=bookworm\nID=debian\n");
        assert_eq!(debian, System { id: "debian".into(), codename: Some("bookworm".into()) });
        let ubuntu = System::parse("ID_LIKE=debian\nID=\"ubuntu\"\n");
        assert_eq!(ubuntu, System { id: "ubuntu".into(), codename: None });
        assert_eq!(System::parse("").id, std::env::consts::OS);
    }

    #[test]
    fn mirrors_are_those_of_debian_and_not_of_others_that_serve_the_same_release() {
        let listing = "DEP-11 main bookworm http://wrong/\n\
                       Packages stable bookworm https://docker.example/\n\
                       Packages main bookworm-pgdg https://pgdg.example/\n\
                       Packages main bookworm-security http://mirror.example/debian-security/\n\
                       Packages main bookworm-updates http://mirror.example/debian/\n\
                       Packages main bookworm http://mirror.example/debian/\n";
        let mirrors = Mirrors::parse(listing, Some("bookworm")).unwrap();
        let expected = Mirrors {
            main: "http://mirror.example/debian/".into(),
            security: Some("http://mirror.example/debian-security/".into()),
        };
        assert_eq!(mirrors, expected);
        assert_eq!(mirrors.sources("arm64").lines().count(), 2);
        assert!(mirrors.sources("arm64").contains("http://mirror.example/debian-security/ trixie-security main"));
        assert_eq!(Mirrors::parse("Packages main bookworm-pgdg https://pgdg.example/\n", Some("bookworm")), None);
    }

    #[test]
    fn what_apt_announces_is_summed_up() {
        let listing = "Reading package lists...\n\
                       'http://m/a_1%2b2_all.deb' a_1+2_all.deb 300 SHA256:00\n\
                       'http://m/b_1_amd64.deb' b_1_amd64.deb 45 SHA256:11\n";
        assert_eq!(announced(listing), (2, 345));
        assert_eq!(announced("E: Unable to locate package\n"), (0, 0));
    }
}
