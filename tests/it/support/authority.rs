//! A certificate authority of a test's own.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tempfile::TempDir;

/// An authority, and a host `localhost` and `127.0.0.1` whose certificate it has signed.
#[derive(Debug)]
pub(crate) struct Authority {
    folder: TempDir,
}

impl Authority {
    /// `None`, and a line that says so, where openssl is not installed.
    pub(crate) fn new() -> Option<Self> {
        let authority = Self { folder: tempfile::tempdir().unwrap() };
        let [ca, key] = [authority.ca_file(), authority.file("ca.key")].map(|path| path.to_str().unwrap().to_owned());
        authority.request("ca", &["-addext", "basicConstraints=critical,CA:TRUE"])?;
        let names = "subjectAltName=DNS:localhost,IP:127.0.0.1";
        authority.request(
            "host",
            &["-CA", &ca, "-CAkey", &key, "-addext", names, "-addext", "basicConstraints=critical,CA:FALSE"],
        )?;
        Some(authority)
    }

    /// Makes `name.pem` and `name.key`.
    fn request(&self, name: &str, more: &[&str]) -> Option<()> {
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
        command.args(["-days", "2", "-subj", &format!("/CN={name}")]).args(more);
        command.arg("-out").arg(self.file(&format!("{name}.pem")));
        command.arg("-keyout").arg(self.file(&format!("{name}.key")));
        let Ok(made) = command.output() else {
            println!("SKIPPED: openssl is not installed (apt-get install openssl)");
            return None;
        };
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Some(())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The authority's own certificate.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.file("ca.pem")
    }

    /// The host's certificate.
    pub(super) fn certificate_file(&self) -> PathBuf {
        self.file("host.pem")
    }

    /// The host's key.
    pub(super) fn key_file(&self) -> PathBuf {
        self.file("host.key")
    }

    /// How the host takes connections.
    pub(crate) fn host(&self) -> Arc<ServerConfig> {
        let key = PrivateKeyDer::from_pem_file(self.key_file()).unwrap();
        let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        Arc::new(builder.with_single_cert(certificates(&self.certificate_file()), key).unwrap())
    }

    /// How one connects who trusts this authority.
    pub(super) fn client(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates(&self.ca_file()));
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
    }
}

fn certificates(path: &Path) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(path).unwrap().map(Result::unwrap).collect()
}
