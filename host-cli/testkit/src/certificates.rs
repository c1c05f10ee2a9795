//! Decides which certificates the TLS tests use: two authorities of a day's standing, and a server certificate for
//! `localhost` by the first.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Fresh certificates, in PEM.
#[derive(Debug)]
pub struct Certificates {
    /// The authority that signed the server's certificate.
    pub authority_pem: String,
    /// An authority that did not.
    pub other_authority_pem: String,
    /// The server's certificate, for `localhost` and `127.0.0.1`.
    pub server_pem: String,
    /// The server's private key.
    pub server_key_pem: String,
}

impl Certificates {
    /// Makes new ones.
    ///
    /// # Errors
    /// Where the cryptographic library fails.
    pub fn generate() -> Result<Certificates, String> {
        Self::try_generate().map_err(|error| format!("cannot make certificates: {error}"))
    }

    /// What a server needs that shows the server's certificate.
    ///
    /// # Panics
    /// Where rustls does not take them.
    pub fn server(&self) -> Arc<ServerConfig> {
        let certificate = CertificateDer::from_pem_slice(self.server_pem.as_bytes());
        let key = PrivateKeyDer::from_pem_slice(self.server_key_pem.as_bytes());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let configuration = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.expect("a certificate")],
                key.expect("a key"),
            );
        Arc::new(configuration.expect("a configuration"))
    }

    fn try_generate() -> Result<Certificates, rcgen::Error> {
        let (authority, authority_pem) = make_authority("umqtt test authority")?;
        let (_, other_authority_pem) = make_authority("another test authority")?;
        let mut params = CertificateParams::new(vec!["localhost".into(), "127.0.0.1".into()])?;
        params
            .distinguished_name
            .push(DnType::CommonName, "localhost");
        let key = KeyPair::generate()?;
        let server_pem = params.signed_by(&key, &authority)?.pem();
        Ok(Certificates {
            authority_pem,
            other_authority_pem,
            server_pem,
            server_key_pem: key.serialize_pem(),
        })
    }
}

fn make_authority(name: &str) -> Result<(Issuer<'static, KeyPair>, String), rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate()?;
    let pem = params.self_signed(&key)?.pem();
    Ok((Issuer::new(params, key), pem))
}
