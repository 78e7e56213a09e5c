//! S3: buckets of objects, each in a temporary file.

use std::{future::Future, pin::Pin, sync::Arc};

use http_body_util::BodyExt;
use hyper::{
    Request,
    body::{Bytes, Incoming},
    header::{ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS},
    http::request::Parts,
    service::Service as _,
};
use rustack_s3_core::{RustackS3, S3Config, storage::StagedUpload};
use rustack_s3_http::{
    FromS3Request, IntoS3Response, RoutingContext, S3Handler, S3HttpConfig, S3HttpService,
    S3ResponseBody,
};
use rustack_s3_model::{
    S3Operation,
    error::{S3Error, S3ErrorCode},
    input::{
        CreateBucketInput, DeleteObjectInput, GetObjectInput, HeadBucketInput, HeadObjectInput,
        ListBucketsInput, ListObjectsV2Input, PutBucketPolicyInput, PutObjectInput,
    },
};

use super::{messaging::Answer, settings::Settings};
use crate::{
    iam::{Judge, bucket_arn},
    proxy::s3::domain,
};

/// S3. Its clones share the buckets.
#[derive(Clone, Debug)]
pub struct S3 {
    s3: Arc<RustackS3>,
    http: S3HttpService<Operations>,
}

/// The operations that the product uses.
#[derive(Debug)]
struct Operations {
    s3: Arc<RustackS3>,
    judge: Judge,
}

type Response = Result<hyper::Response<S3ResponseBody>, S3Error>;
type Pending = Pin<Box<dyn Future<Output = Response> + Send>>;

/// A request without the bytes of an object.
struct Asked {
    head: Parts,
    context: RoutingContext,
    body: Bytes,
}

impl S3 {
    /// S3 without buckets. `judge` learns their policies.
    pub fn new(settings: &Settings, judge: Judge) -> Self {
        let region = settings.region.clone();
        let config = S3Config { default_region: region.clone(), ..S3Config::default() };
        let s3 = Arc::new(RustackS3::new(config));
        let operations = Operations { s3: Arc::clone(&s3), judge };
        let http = S3HttpConfig {
            domain: domain(&settings.public_host).to_owned(),
            region,
            ..S3HttpConfig::default()
        };
        Self { s3, http: S3HttpService::new(operations, http) }
    }

    /// The answer to a request, whose body is read as it comes.
    pub async fn answer(&self, request: Request<Incoming>) -> Answer {
        let mut answer = match self.http.call(request).await {
            Ok(answer) => answer.map(BodyExt::boxed),
            Err(never) => match never {},
        };
        // No page in a browser may read what is stored here.
        for name in [ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS] {
            answer.headers_mut().remove(name);
        }
        answer
    }

    /// The bytes of an object; `None` if they are more than `limit`.
    ///
    /// # Errors
    ///
    /// If there is no such object.
    pub async fn object(
        &self,
        bucket: &str,
        key: &str,
        limit: u64,
    ) -> Result<Option<Bytes>, S3Error> {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        let input = GetObjectInput { bucket, key, ..GetObjectInput::default() };
        let (output, staged) = self.s3.handle_get_object_streaming(input).await?;
        match staged {
            Some(staged) if staged.length > limit => Ok(None),
            Some(staged) => {
                let bytes = staged.collect_bounded(limit).await;
                bytes.map(Some).map_err(|error| S3Error::internal_error(error.to_string()))
            }
            None => Ok(Some(output.body.map(|body| body.data).unwrap_or_default())),
        }
    }
}

impl S3Handler for Operations {
    fn handle_staged_upload(
        &self,
        head: Parts,
        upload: Arc<StagedUpload>,
        context: RoutingContext,
    ) -> Pending {
        let s3 = Arc::clone(&self.s3);
        Box::pin(async move {
            if context.operation != S3Operation::PutObject {
                return Err(S3Error::not_implemented(context.operation.as_str()));
            }
            let asked = Asked { head, context, body: Bytes::new() };
            let input: PutObjectInput = asked.read()?;
            s3.handle_put_object_staged(input, upload).await?.into_s3_response()
        })
    }

    fn handle_operation(
        &self,
        operation: S3Operation,
        head: Parts,
        body: Bytes,
        context: RoutingContext,
    ) -> Pending {
        let (s3, judge) = (Arc::clone(&self.s3), self.judge.clone());
        let asked = Asked { head, context, body };
        Box::pin(async move {
            match operation {
                S3Operation::CreateBucket => {
                    let input: CreateBucketInput = asked.read()?;
                    s3.handle_create_bucket(input).await?.into_s3_response()
                }
                S3Operation::HeadBucket => {
                    let input: HeadBucketInput = asked.read()?;
                    s3.handle_head_bucket(input).await?.into_s3_response()
                }
                S3Operation::ListBuckets => {
                    let input: ListBucketsInput = asked.read()?;
                    s3.handle_list_buckets(input).await?.into_s3_response()
                }
                S3Operation::PutBucketPolicy => put_policy(&s3, &judge, asked.read()?).await,
                S3Operation::GetObject => get(&s3, asked.read()?).await,
                S3Operation::HeadObject => {
                    let input: HeadObjectInput = asked.read()?;
                    s3.handle_head_object(input).await?.into_s3_response()
                }
                S3Operation::DeleteObject => {
                    let input: DeleteObjectInput = asked.read()?;
                    s3.handle_delete_object(input).await?.into_s3_response()
                }
                S3Operation::ListObjectsV2 => {
                    let input: ListObjectsV2Input = asked.read()?;
                    s3.handle_list_objects_v2(input).await?.into_s3_response()
                }
                other => Err(S3Error::not_implemented(other.as_str())),
            }
        })
    }
}

impl Asked {
    fn read<T: FromS3Request>(self) -> Result<T, S3Error> {
        let RoutingContext { bucket, key, query_params, .. } = &self.context;
        T::from_s3_request(&self.head, bucket.as_deref(), key.as_deref(), query_params, self.body)
    }
}

/// The object's bytes are read from its file as the caller takes them.
async fn get(s3: &RustackS3, input: GetObjectInput) -> Response {
    let (output, staged) = s3.handle_get_object_streaming(input).await?;
    let mut response = output.into_s3_response()?;
    if let Some(staged) = staged {
        let body = S3ResponseBody::from_staged(staged).await;
        *response.body_mut() = body.map_err(|error| S3Error::internal_error(error.to_string()))?;
    }
    Ok(response)
}

async fn put_policy(s3: &RustackS3, judge: &Judge, input: PutBucketPolicyInput) -> Response {
    let (bucket, policy) = (bucket_arn(&input.bucket), input.policy.clone());
    s3.handle_put_bucket_policy(input).await?;
    let known = judge.set_policy_of(&bucket, &policy);
    known.map_err(|error| {
        S3Error::with_message(S3ErrorCode::InvalidArgument, format!("{error:#}"))
    })?;
    let mut response = hyper::Response::new(S3ResponseBody::empty());
    *response.status_mut() = hyper::StatusCode::NO_CONTENT;
    Ok(response)
}
