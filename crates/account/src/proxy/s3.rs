//! The operation and the resource of a request to S3, by its method, path and headers.

use hyper::{
    Request,
    header::{AUTHORIZATION, HOST},
    http::request::Parts,
};
use rustack_s3_http::{RoutingContext, S3Router};

/// Buckets that are in the host's name are below this one, such as `pictures.localhost`.
const LAPTOP: &str = "localhost";
/// The same in the network of a `docker-compose.yml`, where the account is the host `aws`.
const CONTAINER: &str = "aws";
/// What a signature for S3 says.
const SIGNED_FOR: &str = "/s3/aws4_request";

/// Whether a request is for S3: its signature says so.
pub fn is_request(head: &Parts) -> bool {
    let signature = head.headers.get(AUTHORIZATION).and_then(|it| it.to_str().ok());
    signature.is_some_and(|it| it.contains(SIGNED_FOR))
}

/// The operation of a request to S3, or its method if it calls none.
pub fn operation(head: &Parts) -> String {
    match routed(head) {
        Some(context) => context.operation.as_str().to_owned(),
        None => head.method.to_string(),
    }
}

/// The bucket and the key of a request to S3, if it has them.
pub fn resource(head: &Parts) -> (Option<String>, Option<String>) {
    routed(head).map(|it| (it.bucket, it.key)).unwrap_or_default()
}

/// The domain of buckets of an account that is reached as this host.
pub fn domain(public_host: &str) -> &'static str {
    if public_host == CONTAINER { CONTAINER } else { LAPTOP }
}

fn routed(head: &Parts) -> Option<RoutingContext> {
    let mut request = Request::new(());
    *request.method_mut() = head.method.clone();
    *request.uri_mut() = head.uri.clone();
    *request.headers_mut() = head.headers.clone();
    let host = head.headers.get(HOST).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let name = host.split(':').next().unwrap_or_default();
    let domain = domain(name.rsplit('.').next().unwrap_or_default());
    S3Router::new(domain, true).resolve(&request).ok()
}
