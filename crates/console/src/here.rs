//! Only for this machine: a request has to name it.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

/// The names of this machine for itself.
pub const HERE: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// Refuses a request that names neither this machine nor `public`, the name that it has for others,
/// as one by a page whose own name leads here.
pub async fn of_this_machine(
    State(public): State<Arc<str>>,
    request: Request,
    next: Next,
) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.unwrap_or_default();
    let name = host.rsplit_once(':').filter(|_| !host.ends_with(']')).map_or(host, |(it, _)| it);
    if HERE.contains(&name) || name == &*public {
        return next.run(request).await;
    }
    (StatusCode::FORBIDDEN, "The host is not this machine.").into_response()
}
