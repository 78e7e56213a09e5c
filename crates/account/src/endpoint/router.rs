//! Passes each request to the service that it is for.

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONTENT_TYPE, HeaderValue},
    http::request::Parts,
};
use serde_json::Value as Json;
use tokio_util::sync::CancellationToken;

use super::{
    dynamodb::DynamoDb,
    like_aws,
    messaging::{self, Answer, Manner, Sns, Sqs},
    s3::S3,
    settings::{ACCOUNT_ID, Settings},
    textract::{self, Textract},
};
use crate::{
    habits::{Habits, partitions::Partitions},
    iam::{self, Asked, Caller, Judge, bucket_arn, object_arn},
    ledger::{Ledger, Made},
    proxy::{Call, Service, Twice, call, s3},
    wiretap::WireTap,
};

/// The largest request that is read, as that of `DynamoDB`.
const MAX_REQUEST_BYTES: usize = 16 << 20;

/// The services behind the port.
#[derive(Clone)]
pub struct Router {
    judge: Judge,
    wiretap: WireTap,
    ledger: Ledger,
    habits: Option<Arc<Habits>>,
    dynamodb: DynamoDb,
    s3: S3,
    sns: Sns,
    sqs: Sqs,
    textract: Textract,
    place: Arc<str>,
    ending: CancellationToken,
}

impl Router {
    /// Services without tables, topics and queues. Queue URLs contain the public host and `port`.
    /// Once `ending` is cancelled, receiving no longer waits for a message.
    ///
    /// # Errors
    ///
    /// If the database in memory cannot be created.
    pub fn new(
        settings: &Settings,
        port: u16,
        judge: Judge,
        wiretap: WireTap,
        ledger: Ledger,
        twice: Twice,
        ending: CancellationToken,
    ) -> anyhow::Result<Self> {
        let habits = settings.habits.map(|seed| Habits::new(seed, &settings.region)).transpose()?;
        let partitions = || Partitions::of(settings.partition_writes);
        let habits = habits.map(|habits| Habits { partitions: partitions(), ..habits });
        let habits = habits.map(Arc::new);
        let manner = Manner { habits: habits.clone(), twice };
        let (sqs, sns) = messaging::services(settings, port, judge.clone(), ledger.clone(), manner);
        let s3 = S3::new(settings, judge.clone());
        Ok(Self {
            textract: Textract::new(settings, s3.clone()),
            s3,
            judge,
            wiretap,
            ledger,
            habits,
            dynamodb: DynamoDb::new(&settings.region)?,
            sns,
            sqs,
            place: format!("{}:{ACCOUNT_ID}", settings.region).into(),
            ending,
        })
    }

    /// The answer to one request. An invalid one gets the error that AWS returns.
    pub async fn answer(&self, request: Request<Incoming>) -> Answer {
        let (head, body) = request.into_parts();
        if s3::is_request(&head) {
            let call = Call::of(&head, &[]);
            let text = call::text(&head, &call, &Bytes::new());
            return self.noted(head, call, text, Some(body)).await;
        }
        let body = match Limited::new(body, MAX_REQUEST_BYTES).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => return failure("SerializationException", &error.to_string()),
        };
        let call = Call::of(&head, &body);
        self.noted(head, call, body, None).await
    }

    /// The answer, of which the ledger has taken note. `text` names the resource, and `object` is a
    /// body that is not read yet.
    async fn noted(
        &self,
        head: Parts,
        call: Call,
        text: Bytes,
        object: Option<Incoming>,
    ) -> Answer {
        // What the administrator looks at is no part of what happens.
        let caller = iam::access_key(&head.headers).filter(|key| self.judge.knows(key));
        let Some(caller) = caller.filter(|_| self.ledger.is_on()).map(str::to_owned) else {
            return self.answer_to(head, &call, text, object).await;
        };
        let (at, began, request) = (SystemTime::now(), Instant::now(), text.clone());
        let answer = self.answer_to(head, &call, text, object).await;
        self.ledger.made(Made {
            at,
            took: began.elapsed(),
            caller,
            name: call.to_string(),
            status: answer.status().as_u16(),
            request,
        });
        answer
    }

    async fn answer_to(
        &self,
        head: Parts,
        call: &Call,
        body: Bytes,
        object: Option<Incoming>,
    ) -> Answer {
        let caller = match self.judge.judge(&head.headers, call, &body) {
            Ok(caller) => caller,
            Err(refusal) => return refusal.answer(),
        };
        if caller == Caller::Service {
            self.wiretap.note(call, &body);
        }
        let habits = self.habits.as_deref();
        let of_service = habits.filter(|_| caller == Caller::Service);
        match call.service {
            Service::DynamoDb => {
                let database = &self.dynamodb;
                let (status, answer) = match habits {
                    Some(habits) => {
                        like_aws::dynamodb::answer(habits, database, call, caller, &body)
                    }
                    None => database.answer(&call.operation, &body),
                };
                json(status, answer)
            }
            Service::Sqs => match self.note_policy(call, &body) {
                Ok(()) => self.sqs(of_service, call, body).await,
                Err(error) => {
                    let why = format!("Invalid value for the parameter Policy. Reason: {error:#}");
                    failure("com.amazonaws.sqs#InvalidAttributeValue", &why)
                }
            },
            Service::Sns => match of_service {
                Some(habits) => like_aws::sns::answer(habits, &self.sns, call, body).await,
                None => self.sns.answer(body).await,
            },
            Service::S3 => match object {
                Some(object) => self.s3(head, call, object).await,
                None => failure("MissingRequestBodyError", "The request has no body"),
            },
            Service::Textract => self.textract(&head, call, &body).await,
            Service::Other => {
                const WHY: &str = "Neither X-Amz-Target nor a form names an operation that exists";
                failure("UnknownOperationException", WHY)
            }
        }
    }

    /// To who may not list a bucket, S3 does not say that an object is missing.
    async fn s3(&self, head: Parts, call: &Call, object: Incoming) -> Answer {
        let (headers, bucket) = (head.headers.clone(), s3::resource(&head).0.unwrap_or_default());
        let answer = self.s3.answer(Request::from_parts(head, object)).await;
        let reads = ["GetObject", "HeadObject"].contains(&&*call.operation);
        if answer.status() != StatusCode::NOT_FOUND || !reads {
            return answer;
        }
        let list = Asked { action: "s3:ListBucket".to_owned(), resource: bucket_arn(&bucket) };
        match self.judge.may(&headers, call, list) {
            Ok(()) => answer,
            Err(refusal) => refusal.answer(),
        }
    }

    /// Textract reads an object with the permissions of who asks.
    async fn textract(&self, head: &Parts, call: &Call, body: &[u8]) -> Answer {
        let may_read = textract::object(body).is_none_or(|object| {
            let resource = object_arn(&object.bucket, &object.name);
            let read = Asked { action: "s3:GetObject".to_owned(), resource };
            self.judge.may(&head.headers, call, read).is_ok()
        });
        let (status, answer) = self.textract.answer(&call.operation, body, may_read).await;
        json(status, answer.to_string().into())
    }

    async fn sqs(&self, habits: Option<&Habits>, call: &Call, body: Bytes) -> Answer {
        let answer = async {
            match habits {
                Some(habits) => like_aws::sqs::answer(habits, &self.sqs, call, body).await,
                None => self.sqs.answer(&call.operation, body).await,
            }
        };
        if call.operation != "ReceiveMessage" {
            return answer.await;
        }
        let received = self.ending.run_until_cancelled(answer).await;
        received.unwrap_or_else(|| json(StatusCode::OK, "{}".into()))
    }

    /// Lets the judge know the policy of a queue that is created or changed.
    fn note_policy(&self, call: &Call, body: &[u8]) -> anyhow::Result<()> {
        if !["CreateQueue", "SetQueueAttributes"].contains(&&*call.operation) {
            return Ok(());
        }
        let request: Json = serde_json::from_slice(body).unwrap_or_default();
        let Some(policy) = request["Attributes"]["Policy"].as_str() else { return Ok(()) };
        let asked = iam::asked(call, body, &self.place);
        asked.iter().try_for_each(|it| self.judge.set_policy_of(&it.resource, policy))
    }
}

/// The answer of AWS to a request that it cannot carry out.
fn failure(code: &str, message: &str) -> Answer {
    let body = serde_json::json!({"__type": code, "message": message}).to_string();
    json(StatusCode::BAD_REQUEST, body.into())
}

/// An answer in AWS JSON.
fn json(status: StatusCode, text: Bytes) -> Answer {
    let body = Full::new(text).map_err(|never| match never {});
    let mut response = Response::new(body.boxed());
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static("application/x-amz-json-1.0");
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
