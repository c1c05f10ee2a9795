//! Decides whom a client trusts that connects over TLS.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use board_link::Lang;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::version::{TLS12, TLS13};
use rustls::{
    CertificateError, ClientConfig, DEFAULT_VERSIONS, DigitallySignedStruct, RootCertStore,
    SignatureScheme,
};

use crate::failure::{self, Failure, Status};

/// Whose certificates count, and what the client shows of itself.
#[derive(Debug, Default)]
pub struct Trust<'a> {
    /// Files of authorities in PEM; with none, what this computer trusts.
    pub files: Vec<PathBuf>,
    /// The client's own certificate and private key, in PEM.
    pub own: Option<(&'a Path, &'a Path)>,
    /// Whether a certificate may be for another host than the one that was asked for.
    pub any_host: bool,
    /// The one version that is spoken, `tlsv1.2` or `tlsv1.3`; none for both.
    pub version: Option<&'a str>,
}

/// The settings for these.
///
/// # Errors
/// Where a file cannot be used, or this computer trusts nobody.
pub fn config(trust: &Trust, lang: Lang) -> Result<Arc<ClientConfig>, Failure> {
    let mut roots = RootCertStore::empty();
    if trust.files.is_empty() {
        // SSL_CERT_FILE names further ones.
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            let why = found
                .errors
                .first()
                .map_or_else(|| "no certificates".to_owned(), ToString::to_string);
            return Err(unusable(&why, lang));
        }
    }
    for file in &trust.files {
        let before = roots.len();
        roots.add_parsable_certificates(certificates(file, lang)?);
        if roots.len() == before {
            return Err(no_pem(file, lang));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = match trust.version {
        Some("tlsv1.2") => &[&TLS12][..],
        Some("tlsv1.3") => &[&TLS13],
        _ => DEFAULT_VERSIONS,
    };
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .map_err(|error| unusable(&error.to_string(), lang))?;
    let builder = if trust.any_host {
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| unusable(&error.to_string(), lang))?;
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyHost(verifier)))
    } else {
        builder.with_root_certificates(roots)
    };
    let config = match trust.own {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = certificates(certificate, lang)?;
            let key =
                PrivateKeyDer::from_pem_file(key).map_err(|error| unread(key, &error, lang))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| unusable(&error.to_string(), lang))?
        }
    };
    Ok(Arc::new(config))
}

/// Checks everything about a certificate but the host that it is for.
#[derive(Debug)]
struct AnyHost(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyHost {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        // The authority, the dates and the purpose are checked before the name.
        match self
            .0
            .verify_server_cert(certificate, between, name, ocsp, now)
        {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

fn certificates(file: &Path, lang: Lang) -> Result<Vec<CertificateDer<'static>>, Failure> {
    match CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(no_pem(file, lang)),
        Err(error) => Err(unread(file, &error, lang)),
    }
}

/// Why nothing was found in a file.
fn unread(file: &Path, error: &pem::Error, lang: Lang) -> Failure {
    let pem::Error::Io(error) = error else {
        return no_pem(file, lang);
    };
    Failure::complete(
        Status::Usage,
        failure::cannot_read(file.display(), error, lang),
    )
}

fn no_pem(file: &Path, lang: Lang) -> Failure {
    let file = file.display();
    Failure::new(
        Status::Usage,
        match lang {
            Lang::En => format!("{file} holds nothing in PEM form that could be used"),
            Lang::Es => format!("{file} no contiene nada en forma PEM que se pueda usar"),
        },
        lang.pick(
            "a certificate file begins with -----BEGIN CERTIFICATE-----; umqtt broker --tls says which one is its own",
            "un fichero de certificado empieza por -----BEGIN CERTIFICATE-----; umqtt broker --tls dice cuál es el suyo",
        ),
    )
}

fn unusable(why: &str, lang: Lang) -> Failure {
    Failure::new(
        Status::Failed,
        match lang {
            Lang::En => format!("TLS cannot be used: {why}"),
            Lang::Es => format!("no se puede usar TLS: {why}"),
        },
        lang.pick(
            "install the system's certificates (Debian: ca-certificates), or name a file of them in SSL_CERT_FILE",
            "instala los certificados del sistema (Debian: ca-certificates), o indica un fichero en SSL_CERT_FILE",
        ),
    )
}
