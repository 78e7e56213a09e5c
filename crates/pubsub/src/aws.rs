//! One configuration for every AWS client of a process.

use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

/// Longer than a healthy call takes, shorter than a person waits. The SDK itself sets no limit, so
/// that a connection that died without a word would hold its caller for good.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const ATTEMPTS: u32 = 3;
/// Below the 60 s after which load balancers drop an idle connection in silence.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// Reads region, credentials and endpoint from the environment, as every AWS tool does.
///
/// `AWS_ENDPOINT_URL` leads to a laptop's endpoint; no code here knows of it.
pub async fn config() -> SdkConfig {
    let http = aws_smithy_http_client::Builder::new()
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .build();
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http)
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        .load()
        .await
}
