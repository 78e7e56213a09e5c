//! How a picture comes in: first the object, then the receipt, which is announced from then on.
//!
//! If the process ends between the two, the client got no answer and sends the picture again, which
//! writes the same object. Otherwise the object expires.

use std::{
    future::ready,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Json,
    body::Body,
    extract::{Path, Request, State, rejection::PathRejection},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures_util::TryStreamExt as _;
use receipts::{Picture, Stored};
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;
use uuid::Uuid;
use web::{
    Problem,
    upload::{Upload, cut_off},
};

use crate::app::App;

/// The largest picture, in bytes: Textract takes no more.
const MAX_BYTES: u64 = 10_000_000;
/// How long an upload may take.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(120);
const MEDIA_TYPES: [&str; 4] = ["image/jpeg", "image/png", "image/webp", "application/pdf"];
const UNKNOWN: &str = "The file is not a JPEG, PNG or WebP picture, nor a PDF, whatever its name.";
const TAKEN: &str = "Another picture was sent with this id before, and has not changed.";

/// `PUT /receipts/{id}`: stores the picture in the body as a receipt. Sending it again is safe.
pub async fn put(
    State(app): State<App>,
    id: Result<Path<Uuid>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let Path(id) = id.map_err(|_| Problem::not_found())?;
    let _upload = app.uploads.enter()?;
    let known = app.receipts.get(id).await.map_err(Problem::unavailable)?;
    let upload = receive(&app, id, request.into_body(), known.is_none());
    let sent = timeout(UPLOAD_TIMEOUT, upload).await.map_err(|_| {
        Problem::new(StatusCode::REQUEST_TIMEOUT, "The upload took too long. Send it again.")
    })??;
    let (status, receipt) = match known {
        Some(receipt) => (StatusCode::OK, receipt),
        // If this fails, the receipt may be stored even so: then the picture has to stay.
        None => {
            let receipt = app.receipts.store(&sent).await.map_err(Problem::unavailable)?;
            tracing::info!(receipt.id = %id, bytes = sent.picture.bytes, "receipt stored");
            // If the channel is full, the sweep finds the receipt in the index.
            let _ = app.fresh.try_send(receipt.clone());
            (StatusCode::CREATED, receipt)
        }
    };
    if receipt.stored.picture.sha256 != sent.picture.sha256 {
        return Err(Problem::new(StatusCode::CONFLICT, TAKEN));
    }
    let location = [(header::LOCATION, format!("/receipts/{id}"))];
    Ok((status, location, Json(receipt.view())).into_response())
}

/// Takes a picture in, and stores it if it `is_new`. The key is the id, so that a picture
/// that is sent again, because there was no answer, leaves nothing behind.
async fn receive(app: &App, id: Uuid, body: Body, is_new: bool) -> Result<Stored, Problem> {
    let upload = Upload::begin(body, MAX_BYTES).await?;
    let media_type = infer::get(&upload.head).map(|it| it.mime_type());
    let Some(media_type) = media_type.filter(|it| MEDIA_TYPES.contains(it)) else {
        return Err(upload.refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, UNKNOWN).await);
    };
    let (key, bytes) = (id.to_string(), upload.bytes);
    let hash = Arc::new(Mutex::new(Sha256::new()));
    let hashed = Arc::clone(&hash);
    let all = upload.stream().inspect_ok(move |chunk| {
        hashed.lock().unwrap_or_else(PoisonError::into_inner).update(chunk);
    });
    if is_new {
        app.bucket.store(&key, media_type, bytes, all).await.map_err(Problem::unavailable)?;
    } else {
        all.try_for_each(|_| ready(Ok(()))).await.map_err(cut_off)?;
    }
    let sha256 = hash.lock().unwrap_or_else(PoisonError::into_inner).clone().finalize();
    let (bucket, media_type) = (app.bucket.name.clone(), media_type.to_owned());
    let sha256 = BASE64_STANDARD.encode(sha256);
    Ok(Stored { id, picture: Picture { bucket, key, media_type, bytes, sha256 } })
}
