//! The configuration that all AWS clients of a process share.

use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

/// Longer than a healthy call takes, and shorter than a person waits. The SDK sets no timeout, so a
/// dead connection would block its caller for ever.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const ATTEMPTS: u32 = 3;
/// Shorter than the 60 s after which load balancers silently drop an idle connection.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// Reads region, credentials and endpoint from the environment, as every AWS tool does.
///
/// With `AWS_ENDPOINT_URL`, a service uses a local endpoint instead of AWS. An attempt of a call
/// times out after 3 s, and a call is attempted up to three times.
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
