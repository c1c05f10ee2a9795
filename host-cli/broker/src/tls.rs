//! Decides what the broker shows of itself over TLS: a certificate that was given, or one that it makes, signed by an
//! authority of its own that clients and boards are told to trust.

use std::fs;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;

/// The files of the authority, in the folder that keeps it.
const AUTHORITY: &str = "ca.crt";
const AUTHORITY_KEY: &str = "ca.key";
const AUTHORITY_FOR_BOARDS: &str = "ca.der";

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Why TLS cannot be offered.
#[derive(Debug, Error)]
pub enum TlsError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{} holds no {wanted} in PEM form", path.display())]
    NotPem { path: PathBuf, wanted: &'static str },
    /// The library's words: mostly a key that is not that of the certificate.
    #[error("the certificate cannot be used: {0}")]
    Unusable(String),
}

/// A certificate with its key, ready to be used by any number of brokers.
#[derive(Debug, Clone)]
pub struct Identity(pub(crate) Arc<ServerConfig>);

/// The files by which others come to trust the certificates that are made here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// The authority's certificate in PEM, for `--cafile` and the like.
    pub pem: PathBuf,
    /// The same in DER, which is a third smaller, for boards.
    pub der: PathBuf,
}

impl Identity {
    /// From files in PEM: the certificate with what stands between it and its authority, and its private key.
    ///
    /// # Errors
    /// Where they cannot be read or do not belong together.
    pub fn from_files(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let read = |path: &Path| {
            fs::read(path).map_err(|source| TlsError::Read {
                path: path.to_owned(),
                source,
            })
        };
        let not_pem = |path: &Path, wanted| TlsError::NotPem {
            path: path.to_owned(),
            wanted,
        };
        let chain = CertificateDer::pem_slice_iter(&read(certificate)?)
            .collect::<Result<Vec<_>, _>>()
            .ok()
            .filter(|chain| !chain.is_empty())
            .ok_or_else(|| not_pem(certificate, "certificate"))?;
        let private = PrivateKeyDer::from_pem_slice(&read(key)?)
            .map_err(|_| not_pem(key, "private key without a password"))?;
        Self::new(chain, private)
    }

    /// A certificate for these names and addresses, good from yesterday on for two years, signed by the authority in `folder`;
    /// that is made where there is none, and stays, so that what trusts it goes on doing so.
    ///
    /// # Errors
    /// Where `folder` cannot be read or written.
    pub fn make(
        folder: &Path,
        names: &[String],
        addresses: &[IpAddr],
    ) -> Result<(Self, Trust), TlsError> {
        let key = authority_key(folder)?;
        let made = |error: rcgen::Error| TlsError::Unusable(error.to_string());
        let (authority, certificate) = authority(key).map_err(made)?;
        let trust = Trust {
            pem: folder.join(AUTHORITY),
            der: folder.join(AUTHORITY_FOR_BOARDS),
        };
        // Kept files are not touched: what was copied to a board must stay what is here.
        for (path, bytes) in [
            (&trust.pem, certificate.pem().into_bytes()),
            (&trust.der, certificate.der().to_vec()),
        ] {
            if !path.exists() {
                write(path, &bytes)?;
            }
        }
        let mut params = CertificateParams::new(names.to_vec()).map_err(made)?;
        for address in addresses {
            params
                .subject_alt_names
                .push(rcgen::SanType::IpAddress(*address));
        }
        params
            .distinguished_name
            .push(DnType::CommonName, "umqtt broker");
        let now = SystemTime::now();
        params.not_before = (now - DAY).into();
        params.not_after = (now + 730 * DAY).into();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().map_err(made)?;
        let certificate = params.signed_by(&key, &authority).map_err(made)?;
        let private = PrivateKeyDer::try_from(key.serialize_der())
            .map_err(|error| TlsError::Unusable(error.to_owned()))?;
        Ok((Self::new(vec![certificate.der().clone()], private)?, trust))
    }

    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, TlsError> {
        let unusable = |error: rustls::Error| TlsError::Unusable(error.to_string());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(unusable)?;
        Ok(Self(Arc::new(config)))
    }
}

/// The authority's certificate: the same whenever it is made from the same key, but for its signature.
fn authority(key: KeyPair) -> Result<(Issuer<'static, KeyPair>, rcgen::Certificate), rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params
        .distinguished_name
        .push(DnType::CommonName, "umqtt authority of this computer");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    // A board that does not know the day takes it for the year 2000, and does not look at these.
    params.not_before = date_time_ymd(2024, 1, 1);
    params.not_after = date_time_ymd(2049, 12, 31);
    params.serial_number = Some(rcgen::SerialNumber::from(vec![1]));
    let certificate = params.self_signed(&key)?;
    Ok((Issuer::new(params, key), certificate))
}

/// The authority's key, made where there is none.
fn authority_key(folder: &Path) -> Result<KeyPair, TlsError> {
    let path = folder.join(AUTHORITY_KEY);
    match fs::read_to_string(&path) {
        Ok(pem) => KeyPair::from_pem(&pem).map_err(|_| TlsError::NotPem {
            path,
            wanted: "private key",
        }),
        Err(source) if source.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(folder).map_err(|source| TlsError::Write {
                path: folder.to_owned(),
                source,
            })?;
            let key = KeyPair::generate().map_err(|error| TlsError::Unusable(error.to_string()))?;
            // The certificates of a lost key are of no use any more.
            for stale in [AUTHORITY, AUTHORITY_FOR_BOARDS] {
                let _ = fs::remove_file(folder.join(stale));
            }
            write(&path, key.serialize_pem().as_bytes())?;
            Ok(key)
        }
        Err(source) => Err(TlsError::Read { path, source }),
    }
}

/// Writes a file that its owner only can read, whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> Result<(), TlsError> {
    let failed = |source| TlsError::Write {
        path: path.to_owned(),
        source,
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authority_stays_and_its_key_is_its_owners() {
        let folder = tempfile::tempdir().expect("a folder");
        let keep = folder.path().join("tls");
        let names = ["localhost".to_owned()];
        let (_, trust) = Identity::make(&keep, &names, &[]).expect("an identity");
        let first = fs::read(&trust.pem).expect("a certificate");
        let der = fs::read(&trust.der).expect("a certificate");
        let read = CertificateDer::from_pem_slice(&first).expect("PEM");
        assert_eq!(read.as_ref(), der);
        Identity::make(&keep, &names, &[]).expect("another identity");
        assert_eq!(fs::read(&trust.pem).expect("a certificate"), first);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(keep.join(AUTHORITY_KEY))
                .expect("a key")
                .permissions();
            assert_eq!(mode.mode() & 0o777, 0o600);
        }
        fs::write(keep.join(AUTHORITY_KEY), "x").expect("a file");
        let error = Identity::make(&keep, &names, &[]).expect_err("a damaged key");
        assert!(
            error.to_string().contains("ca.key holds no private key"),
            "{error}"
        );
        // A new key makes new certificates.
        fs::remove_file(keep.join(AUTHORITY_KEY)).expect("a file");
        Identity::make(&keep, &names, &[]).expect("an identity");
        assert_ne!(fs::read(&trust.pem).expect("a certificate"), first);
    }

    #[test]
    fn files_that_do_not_fit_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let (one, other) = (
            KeyPair::generate().expect("a key"),
            KeyPair::generate().expect("a key"),
        );
        let params = CertificateParams::new(vec!["h".to_owned()]).expect("params");
        let certificate = params.self_signed(&one).expect("a certificate");
        fs::write(path("crt"), certificate.pem()).expect("a file");
        fs::write(path("key"), one.serialize_pem()).expect("a file");
        fs::write(path("other"), other.serialize_pem()).expect("a file");
        fs::write(path("text"), "hola").expect("a file");
        Identity::from_files(&path("crt"), &path("key")).expect("they fit");
        for (certificate, key, words) in [
            ("text", "key", "no certificate"),
            ("crt", "text", "no private key"),
            ("crt", "other", "cannot be used"),
            ("nothing", "key", "cannot read"),
        ] {
            let error = Identity::from_files(&path(certificate), &path(key)).expect_err(words);
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
