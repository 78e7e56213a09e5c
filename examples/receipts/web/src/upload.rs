//! How a picture comes in: first the object, then the receipt, which is announced from then on.
//!
//! If the process ends between the two, the object expires, and who sent it got no answer and sends
//! it again.

use std::time::Duration;

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{Path, Request, State, rejection::PathRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use receipts::{Picture, Stored};
use tokio::time::timeout;
use uuid::Uuid;
use web::Problem;

use crate::app::App;

/// The largest picture, in bytes: Textract takes no more.
const MAX_BYTES: u64 = 10_000_000;
/// How long an upload may take.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(120);
/// How many bytes say what a file is.
const MAGIC_BYTES: usize = 16;
const MEDIA_TYPES: [&str; 4] = ["image/jpeg", "image/png", "image/webp", "application/pdf"];
const UNKNOWN: &str = "This is no JPEG, PNG or WebP picture and no PDF, whatever its name says.";
const TAKEN: &str = "Another picture was sent with this id before, and has not changed.";

/// `PUT /receipts/{id}`: stores the picture in the body as a receipt. Sending it again is safe.
pub async fn put(
    State(app): State<App>,
    id: Result<Path<Uuid>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let Path(id) = id.map_err(|_| Problem::not_found())?;
    let bytes = length(request.headers())?;
    let _upload = app.uploads.enter()?;
    let upload = timeout(UPLOAD_TIMEOUT, store(&app, id, bytes, request.into_body())).await;
    let stored = upload.map_err(|_| {
        Problem::new(StatusCode::REQUEST_TIMEOUT, "The upload took too long. Send it again.")
    })??;
    let receipt = app.receipts.store(&stored).await;
    // If this failed, the receipt may be stored even so: then the picture has to stay.
    let receipt = receipt.map_err(Problem::unavailable)?;
    let is_new = receipt.stored == stored;
    if is_new {
        tracing::info!(receipt.id = %id, bytes, "receipt stored");
        // If the channel is full, the sweep finds the receipt in the index.
        let _ = app.fresh.try_send(receipt.clone());
    } else if let Err(error) = app.bucket.delete(&stored.picture).await {
        tracing::warn!(error = format!("{error:#}"), "a picture that was sent twice will expire");
    }
    if receipt.stored.picture.sha256 != stored.picture.sha256 {
        return Err(Problem::new(StatusCode::CONFLICT, TAKEN));
    }
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let location = [(header::LOCATION, format!("/receipts/{id}"))];
    Ok((status, location, Json(receipt.view())).into_response())
}

fn length(headers: &HeaderMap) -> Result<u64, Problem> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse().ok());
    let length = length.ok_or_else(|| {
        Problem::new(StatusCode::LENGTH_REQUIRED, "Send the file with its length.")
    })?;
    match length {
        0 => Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "The file is empty.")),
        1..=MAX_BYTES => Ok(length),
        _ => Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("The file has more than {} MB. Send a smaller picture.", MAX_BYTES / 1_000_000),
        )),
    }
}

/// Stores the picture, under a key of its own: of two uploads with one id, one is the receipt's.
async fn store(app: &App, id: Uuid, bytes: u64, body: Body) -> Result<Stored, Problem> {
    let mut chunks = body.into_data_stream();
    let mut first = Vec::new();
    while first.len() < MAGIC_BYTES
        && let Some(chunk) = chunks
            .try_next()
            .await
            .map_err(|error| Problem::of_body(StatusCode::BAD_REQUEST, &error, ""))?
    {
        first.extend_from_slice(&chunk);
    }
    let media_type = infer::get(&first).map(|it| it.mime_type());
    let media_type = media_type.filter(|it| MEDIA_TYPES.contains(it));
    let media_type =
        media_type.ok_or_else(|| Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, UNKNOWN))?;
    let key = format!("{id}/{}", Uuid::now_v7());
    let all = stream::iter([Ok(Bytes::from(first))]).chain(chunks);
    let sha256 = app.bucket.store(&key, media_type, bytes, all).await;
    let sha256 = sha256.map_err(Problem::unavailable)?;
    let (bucket, media_type) = (app.bucket.name.clone(), media_type.to_owned());
    Ok(Stored { id, picture: Picture { bucket, key, media_type, bytes, sha256 } })
}
