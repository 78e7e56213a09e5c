//! Makes a bucket by signed requests. The SDK of S3 would take a minute to build.

use std::time::SystemTime;

use anyhow::{Context as _, ensure};
use aws_config::SdkConfig;
use aws_sdk_sqs::config::ProvideCredentials as _;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4::SigningParams,
};
use deployment::cloudformation::resolve::made::Made;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, StatusCode,
    body::Bytes,
    header::{HeaderName, HeaderValue},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

/// The region in which a bucket is made that names none.
const DEFAULT_REGION: &str = "us-east-1";
/// What S3 says of a bucket that this account has already.
const EXISTS: &str = "<Code>BucketAlreadyOwnedByYou</Code>";
const HASH: &str = "x-amz-content-sha256";
/// Says that the signature does not cover the body, which does not leave this machine.
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// S3 at the endpoint of a configuration.
#[derive(Clone, Debug)]
pub struct S3(pub SdkConfig);

impl S3 {
    /// Makes the bucket with this name. One that exists is not changed.
    pub async fn make(self, name: String) -> anyhow::Result<Made> {
        let body = match self.region() {
            DEFAULT_REGION => String::new(),
            region => format!(
                "<CreateBucketConfiguration><LocationConstraint>{region}</LocationConstraint>\
                 </CreateBucketConfiguration>"
            ),
        };
        let what = || format!("creating the bucket {name}");
        let (status, answer) = self.put(&format!("/{name}"), body).await.with_context(what)?;
        let exists = status == StatusCode::CONFLICT && answer.contains(EXISTS);
        ensure!(status.is_success() || exists, "{}: {status}: {answer}", what());
        Ok(Made::bucket(&name))
    }

    /// Makes `policy` the policy of the bucket with this name.
    pub async fn set_policy(self, bucket: String, policy: String) -> anyhow::Result<Made> {
        let what = || format!("setting the policy of the bucket {bucket}");
        let path = format!("/{bucket}?policy=");
        let (status, answer) = self.put(&path, policy).await.with_context(what)?;
        ensure!(status.is_success(), "{}: {status}: {answer}", what());
        Ok(Made::nothing())
    }

    fn region(&self) -> &str {
        self.0.region().map_or(DEFAULT_REGION, AsRef::as_ref)
    }

    /// The status and the text that answer a signed `PUT`.
    async fn put(&self, path: &str, body: String) -> anyhow::Result<(StatusCode, String)> {
        let endpoint = self.0.endpoint_url().context("no endpoint")?.trim_end_matches('/');
        let mut request = Request::put(format!("{endpoint}{path}")).body(Full::from(body))?;
        request
            .headers_mut()
            .insert(HeaderName::from_static(HASH), HeaderValue::from_static(UNSIGNED));
        self.sign(&mut request).await?;
        let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        let answer = client.request(request).await?;
        let status = answer.status();
        let text = answer.into_body().collect().await?.to_bytes();
        Ok((status, String::from_utf8_lossy(&text).into_owned()))
    }

    async fn sign(&self, request: &mut Request<Full<Bytes>>) -> anyhow::Result<()> {
        let credentials = self.0.credentials_provider().context("no credentials")?;
        let identity = credentials.provide_credentials().await?.into();
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(self.region())
            .name("s3")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()?
            .into();
        let headers = [(HASH, UNSIGNED)].into_iter();
        let body = SignableBody::UnsignedPayload;
        let (method, uri) = (request.method().as_str(), request.uri().to_string());
        let signable = SignableRequest::new(method, uri, headers, body)?;
        let (instructions, _) = sign(signable, &parameters)?.into_parts();
        instructions.apply_to_request_http1x(request);
        Ok(())
    }
}
