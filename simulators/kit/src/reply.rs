//! Answers in the forms that SOAP and the admin paths use.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;

/// A SOAP 1.1 message.
pub fn xml(status: StatusCode, message: impl Into<String>) -> HttpResponse {
    HttpResponse::build(status).content_type("text/xml; charset=utf-8").body(message.into())
}

/// An admin answer.
pub fn json(value: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok().json(value)
}

/// An admin request that cannot be carried out, with the chain of reasons as `{"error": "…"}`.
pub fn refused(error: &(dyn std::error::Error + 'static)) -> HttpResponse {
    let chain = std::iter::successors(Some(error), |error| error.source());
    let text: Vec<String> = chain.map(ToString::to_string).collect();
    HttpResponse::BadRequest().json(serde_json::json!({ "error": text.join(": ") }))
}
