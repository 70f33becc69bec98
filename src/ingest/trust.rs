//! Whose certificates are believed: those of the brokers and feeds that chunkwise connects to over TLS.

use std::{
    error::Error,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    CertificateError, ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{
        CertificateDer,
        pem::{self, PemObject},
    },
};

use super::prepare::off_the_async_threads;

/// Why there is nobody whose certificates could be believed.
#[derive(Debug, thiserror::Error)]
pub(super) enum TrustError {
    #[error("ca_file {} cannot be read as certificates in PEM: {reason}", path.display())]
    Unreadable { path: PathBuf, reason: pem::Error },
    #[error("ca_file {} holds no certificate: it must have -----BEGIN CERTIFICATE----- in it", .0.display())]
    Empty(PathBuf),
    #[error("ca_file {} holds a certificate that is none of a CA: {reason}", path.display())]
    NoCa { path: PathBuf, reason: rustls::Error },
    #[error("this system trusts no CA: install its package ca-certificates, or name the CA's file as ca_file")]
    NoSystem,
    #[error(transparent)]
    Library(#[from] rustls::Error),
}

/// How to connect over TLS: with trust in the CAs of a file alone, or without one in those that the system trusts.
///
/// Both are read each time, because certificates are renewed while chunkwise runs.
pub(super) fn client_config(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, TrustError> {
    let roots = off_the_async_threads(|| match ca_file {
        Some(path) => of_file(path),
        None => of_the_system(),
    })?;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn of_file(path: &Path) -> Result<RootCertStore, TrustError> {
    let unreadable = |reason| TrustError::Unreadable { path: path.to_owned(), reason };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
        let no_ca = |reason| TrustError::NoCa { path: path.to_owned(), reason };
        roots.add(certificate.map_err(unreadable)?).map_err(no_ca)?;
    }
    if roots.is_empty() { Err(TrustError::Empty(path.to_owned())) } else { Ok(roots) }
}

fn of_the_system() -> Result<RootCertStore, TrustError> {
    let found = rustls_native_certs::load_native_certs();
    if !found.errors.is_empty() {
        tracing::warn!(errors = ?found.errors, "some of the system's certificates cannot be read");
    }
    let mut roots = RootCertStore::empty();
    // Systems carry some that are too old to be read, which others need not suffer for.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() { Err(TrustError::NoSystem) } else { Ok(roots) }
}

/// What can be done about a connection that was lost over certificates; `None` if it was lost over something else.
pub(super) fn advice(lost: &(dyn Error + 'static)) -> Option<&'static str> {
    let causes = std::iter::successors(Some(lost), |error| Error::source(*error));
    if causes.clone().any(|error| error.is::<TrustError>()) {
        return Some("without a CA nothing is believed: mend that, and it is found at the next attempt");
    }
    let refused = causes.filter_map(tls_error).find_map(|error| match error {
        rustls::Error::InvalidCertificate(refused) => Some(refused),
        _ => None,
    })?;
    Some(match refused {
        CertificateError::UnknownIssuer => {
            "its certificate is signed by nobody who is trusted: name the file with its CA's certificate as ca_file"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is another host's: write a name into the url that the certificate has"
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid now: renew it there, and look at the clocks of both machines"
        }
        _ => "its certificate cannot be believed: have a CA sign another, and name the CA's file as ca_file",
    })
}

/// TLS over a stream reports its errors inside those of the stream, which do not name them as their source.
fn tls_error<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    match error.downcast_ref::<io::Error>() {
        Some(error) => error.get_ref()?.downcast_ref(),
        None => error.downcast_ref(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_ca_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let error = || client_config(Some(&path)).unwrap_err();
        assert!(matches!(error(), TrustError::Unreadable { .. }));
        std::fs::write(&path, "none here").unwrap();
        assert!(matches!(error(), TrustError::Empty(_)));
        std::fs::write(&path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        assert!(matches!(error(), TrustError::NoCa { .. }));
        assert!(error().to_string().contains(path.to_str().unwrap()));
    }

    #[test]
    fn what_is_wrong_with_a_certificate_is_found_inside_of_other_errors() {
        let refused = |reason| io::Error::other(rustls::Error::InvalidCertificate(reason));
        let inside = rumqttc_v5::ConnectionError::Io(refused(CertificateError::UnknownIssuer));
        assert!(advice(&inside).unwrap().contains("ca_file"));
        assert!(advice(&refused(CertificateError::Expired)).unwrap().contains("renew"));
        assert!(advice(&refused(CertificateError::NotValidForName)).unwrap().contains("another host's"));
        assert_eq!(advice(&io::Error::from(io::ErrorKind::ConnectionRefused)), None);
    }
}
