//! TLS in front of the endpoint, with a certificate of its own authority: AWS has TLS too.

use std::{io::Write as _, sync::Arc};

use anyhow::Context as _;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::NamedTempFile;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};
use tokio_util::task::AbortOnDropHandle;

/// The variable that names the certificates of the authorities that a service trusts.
pub const CERTIFICATES: &str = "SSL_CERT_FILE";
const HOST: &str = "localhost";

/// A server with TLS that passes everything on.
pub struct Front {
    /// Where it is reached.
    pub url: String,
    /// The certificate of its authority.
    pub authority: NamedTempFile,
    _server: AbortOnDropHandle<()>,
}

impl Front {
    /// Starts a server in front of `url`.
    ///
    /// # Errors
    ///
    /// If it cannot listen, or its certificate cannot be made or written.
    pub async fn start(url: &str) -> anyhow::Result<Self> {
        let endpoint = url.strip_prefix("http://").context("an endpoint without http://")?;
        let endpoint: Arc<str> = endpoint.trim_end_matches('/').into();
        let (authority, config) = certified()?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("listening")?;
        let url = format!("https://{HOST}:{}", listener.local_addr()?.port());
        let server = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (acceptor, endpoint) = (acceptor.clone(), Arc::clone(&endpoint));
                tokio::spawn(async move {
                    client.set_nodelay(true)?;
                    let mut client = acceptor.accept(client).await?;
                    let mut server = TcpStream::connect(&*endpoint).await?;
                    server.set_nodelay(true)?;
                    copy_bidirectional(&mut client, &mut server).await
                });
            }
        });
        Ok(Self { url, authority, _server: AbortOnDropHandle::new(server) })
    }
}

/// An authority's certificate in a file, and a server that it certifies.
fn certified() -> anyhow::Result<(NamedTempFile, ServerConfig)> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let mut file = NamedTempFile::new().context("writing a certificate")?;
    file.write_all(authority.pem().as_bytes()).context("writing a certificate")?;
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new([HOST.to_owned()])?.signed_by(&key, &authority)?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)?;
    Ok((file, config))
}
