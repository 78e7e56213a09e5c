//! S3 by its SDK, as the second sample uses it.

use aws_sdk_s3::{
    Client,
    error::ProvideErrorMetadata as _,
    operation::get_object::GetObjectOutput,
    primitives::{ByteStream, SdkBody},
    types::{ChecksumAlgorithm, ChecksumMode},
};
use http_body_util::StreamBody;
use hyper::body::{Bytes, Frame};

use super::*;
use crate::{
    iam::Role,
    provision::{Service, Target},
    proxy::{Calls, Conditions, Fault, Outage, Proxy},
};

/// More than the pieces in which bodies are read and written.
const SIZE: usize = 3 << 20;
/// The SHA-256 of that number of sevens, in Base64, by `openssl dgst`.
const SHA256: &str = "6HdiA9PslYgEcJUyuicSkLQlhq/nXMxMiYoc8BRVwrQ=";

/// The account of the second sample, and clients that sign as its services.
pub(super) struct Receipts {
    pub(super) endpoint: Endpoint,
    pub(super) account: Account,
    service: Service,
    pub(super) bucket: String,
    url: String,
    web: Client,
    scanner: Client,
    pub(super) administrator: Client,
}

impl Receipts {
    async fn new() -> Self {
        Self::with(&Settings::loopback(0)).await
    }

    pub(super) async fn with(settings: &Settings) -> Self {
        let endpoint = start(settings).await.unwrap();
        let target = endpoint.target();
        let directory =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/receipts/copilot");
        let deployment = copilot::read(&directory, ENVIRONMENT).unwrap();
        let account = provision_deployment(&deployment, &target).await.unwrap();
        provision_deployment(&deployment, &target).await.unwrap();
        let of = async |name| Client::new(&target.config_of(account.service(name).unwrap()).await);
        Self {
            bucket: account
                .service("web")
                .unwrap()
                .variable("PICTURES_BUCKET_NAME")
                .unwrap()
                .into(),
            url: endpoint.url.clone(),
            web: of("web").await,
            scanner: of("scanner").await,
            administrator: Client::new(&target.config().await),
            service: account.service("web").unwrap().clone(),
            account,
            endpoint,
        }
    }

    /// Stores sevens in pieces, as they come from a browser.
    async fn put(&self, key: &str) -> aws_sdk_s3::operation::put_object::PutObjectOutput {
        let pieces = vec![Bytes::from(vec![b'7'; SIZE / 16]); 16].into_iter();
        let pieces = pieces.map(|piece| Ok::<_, std::convert::Infallible>(Frame::data(piece)));
        let body = StreamBody::new(futures_util::stream::iter(pieces));
        let put = self.web.put_object().bucket(&self.bucket).key(key);
        let put = put.content_length(SIZE as i64).content_type("image/png");
        let put = put.checksum_algorithm(ChecksumAlgorithm::Sha256);
        put.body(ByteStream::new(SdkBody::from_body_1_x(body))).send().await.unwrap()
    }

    /// A client that may read, but not list.
    async fn reader(&self) -> Client {
        let read = serde_json::json!({"Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*",
        }});
        let role = Role { name: "reader".to_owned(), policies: [("read".to_owned(), read)].into() };
        self.endpoint.judge().set_roles(vec![role]).unwrap();
        let mut service = self.service.clone();
        service.variables.insert("AWS_ACCESS_KEY_ID".to_owned(), "reader".to_owned());
        Client::new(&self.endpoint.target().config_of(&service).await)
    }

    async fn get(&self, client: &Client, key: &str) -> Result<GetObjectOutput, String> {
        let get = client.get_object().bucket(&self.bucket).key(key);
        let answer = get.checksum_mode(ChecksumMode::Enabled).send().await;
        answer.map_err(|error| error.code().unwrap_or_default().to_owned())
    }
}

#[tokio::test]
async fn a_picture_that_comes_in_pieces_is_stored_checked_and_read_by_another_service() {
    let aws = Receipts::new().await;
    let put = aws.put("a picture/1+1=2.png").await;
    assert_eq!(put.checksum_sha256(), Some(SHA256));
    let got = aws.get(&aws.scanner, "a picture/1+1=2.png").await.unwrap();
    assert_eq!(got.checksum_sha256(), Some(SHA256));
    assert_eq!(got.content_type(), Some("image/png"));
    let bytes = got.body.collect().await.unwrap().into_bytes();
    assert!(bytes.len() == SIZE && bytes.iter().all(|it| *it == b'7'));
    let head = aws.web.head_object().bucket(&aws.bucket).key("a picture/1+1=2.png").send().await;
    assert_eq!(head.unwrap().content_length(), Some(SIZE as i64));
    let list = aws.scanner.list_objects_v2().bucket(&aws.bucket).prefix("a ").send().await.unwrap();
    assert_eq!(list.contents()[0].key(), Some("a picture/1+1=2.png"));
}

#[tokio::test]
async fn a_missing_picture_is_denied_to_who_may_not_list_and_is_gone_once_it_is_deleted() {
    let aws = Receipts::new().await;
    aws.put("1.png").await;
    aws.web.delete_object().bucket(&aws.bucket).key("1.png").send().await.unwrap();
    assert_eq!(aws.get(&aws.scanner, "1.png").await.unwrap_err(), "NoSuchKey");
    let head = aws.scanner.head_object().bucket(&aws.bucket).key("1.png").send().await;
    assert!(head.unwrap_err().into_service_error().is_not_found());
    let reader = aws.reader().await;
    assert_eq!(aws.get(&reader, "1.png").await.unwrap_err(), "AccessDenied");
    aws.administrator.put_object().bucket(&aws.bucket).key("1.png").send().await.unwrap();
    aws.get(&reader, "1.png").await.unwrap();
    let other = aws.administrator.get_object().bucket("other").key("1.png").send().await;
    assert_eq!(other.unwrap_err().code(), Some("NoSuchBucket"));
}

#[tokio::test]
async fn a_service_may_do_with_the_bucket_what_its_policies_say_and_no_more() {
    let aws = Receipts::new().await;
    let put = aws.scanner.put_object().bucket(&aws.bucket).key("1.png").send().await.unwrap_err();
    assert_eq!(put.code(), Some("AccessDenied"));
    let said = put.message().unwrap();
    assert!(said.contains("s3:PutObject on resource: arn:aws:s3:::"), "{said}");
    let delete = aws.scanner.delete_object().bucket(&aws.bucket).key("1.png").send().await;
    assert_eq!(delete.unwrap_err().code(), Some("AccessDenied"));
    let policy = format!(
        r#"{{"Version": "2012-10-17", "Statement": {{"Effect": "Deny", "Principal": "*",
            "Action": "s3:PutObject", "Resource": "arn:aws:s3:::{}/*"}}}}"#,
        aws.bucket
    );
    let set = aws.administrator.put_bucket_policy().bucket(&aws.bucket).policy(policy);
    set.send().await.unwrap();
    let denied = aws.web.put_object().bucket(&aws.bucket).key("1.png").send().await.unwrap_err();
    assert!(
        denied.message().unwrap().ends_with("with an explicit deny in a resource-based policy")
    );
    let copy = aws.administrator.copy_object().bucket(&aws.bucket).key("2");
    let copy = copy.copy_source(format!("{}/1", aws.bucket)).send().await;
    assert_eq!(copy.unwrap_err().code(), Some("NotImplemented"));
}

#[tokio::test]
async fn a_bucket_can_be_in_the_name_of_the_host_and_nothing_is_public() {
    let aws = Receipts::new().await;
    aws.put("1.png").await;
    let path = format!("{}/{}/1.png", aws.url, aws.bucket);
    let unsigned = reqwest::get(&path).await.unwrap();
    assert!(unsigned.status().is_client_error(), "{}", unsigned.status());
    let client = reqwest::Client::new();
    let signature = "AWS4-HMAC-SHA256 Credential=local/20261126/us-east-1/s3/aws4_request, x";
    let get = client.get(format!("{}/1.png", aws.url)).header("authorization", signature);
    let host = format!("{}.localhost", aws.bucket);
    let got =
        get.header("host", host).header("origin", "http://evil.example").send().await.unwrap();
    assert!(got.status().is_success());
    assert!(!got.headers().contains_key("access-control-allow-origin"), "{:?}", got.headers());
    assert_eq!(got.bytes().await.unwrap().len(), SIZE);
}

#[tokio::test]
async fn a_picture_passes_the_proxy_and_an_outage_of_the_bucket_is_said_as_s3_says_it() {
    let aws = Receipts::new().await;
    let proxy = Proxy::start(&aws.url, Conditions::default()).await.unwrap();
    let behind = Target { endpoint_url: proxy.url.clone(), ..aws.endpoint.target() };
    let config = aws_sdk_s3::config::Builder::from(&behind.config_of(&aws.service).await);
    let config = config.retry_config(aws_sdk_s3::config::retry::RetryConfig::disabled()).build();
    let aws = Receipts { web: Client::from_conf(config), ..aws };
    aws.put("1.png").await;
    let got = aws.get(&aws.web, "1.png").await.unwrap();
    assert_eq!(got.body.collect().await.unwrap().into_bytes().len(), SIZE);
    assert_eq!(proxy.counts().calls["S3.PutObject"], 1);

    let cases = [
        (Fault::Throttle, "SlowDown"),
        (Fault::Denied, "AccessDenied"),
        (Fault::ServerError, "InternalError"),
    ];
    for (fault, code) in cases {
        let mentions = "picturesbucket".to_owned();
        let of = vec![Calls { mentions, ..Calls::default() }];
        proxy.set_outages(vec![Outage::Calls { of, fault, percent: 100 }]);
        assert_eq!(aws.get(&aws.web, "1.png").await.unwrap_err(), code);
    }
}
