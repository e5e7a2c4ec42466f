//! Bounded reading of answers, and JSON from the simulators' admin paths.

use std::time::Duration;

use serde::de::DeserializeOwned;

use super::error::DemoError;

/// Largest listing of a simulator that is read: 50,000 mailboxes with 50 appointments of 300 bytes.
const LISTING_BYTES_MAX: usize = 1024 * 1024 * 1024;

/// Reads a body up to `limit` bytes.
pub async fn read_bounded(mut answer: reqwest::Response, limit: usize) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| error.to_string())? {
        if bytes.len() + chunk.len() > limit {
            return Err(format!("more than {limit} bytes"));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// A client that trusts these; nobody where nothing is encrypted.
pub(crate) fn client(roots: trust::Roots) -> Result<reqwest::ClientBuilder, String> {
    let tls = trust::ClientTls { roots };
    let tls = tls.client_config().map_err(|error| telemetry::chain(&error).to_string())?;
    Ok(reqwest::Client::builder().tls_backend_preconfigured(tls))
}

/// A simulator's admin side.
#[derive(Debug, Clone)]
pub struct Admin {
    http: reqwest::Client,
    base: String,
}

impl Admin {
    /// The admin side of the simulator at `base_url`.
    pub fn new(base_url: &str) -> Result<Self, DemoError> {
        Self::trusting(base_url, trust::Roots::Nobody)
    }

    /// The same over TLS.
    pub fn trusting(base_url: &str, roots: trust::Roots) -> Result<Self, DemoError> {
        let http = client(roots)
            .map_err(|reason| DemoError::Admin { path: base_url.to_owned(), reason })?
            .timeout(Duration::from_secs(60))
            .build()
            .map_err(|error| DemoError::Admin { path: base_url.to_owned(), reason: error.to_string() })?;
        Ok(Self { http, base: base_url.trim_end_matches('/').to_owned() })
    }

    /// GET, as JSON.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, DemoError> {
        let fail = |reason: String| DemoError::Admin { path: path.to_owned(), reason };
        let answer = self
            .http
            .get(format!("{}{path}", self.base))
            .send()
            .await
            .map_err(|error| fail(error.to_string()))?;
        let status = answer.status();
        let bytes = read_bounded(answer, LISTING_BYTES_MAX).await.map_err(&fail)?;
        if !status.is_success() {
            return Err(fail(format!("HTTP {status}")));
        }
        serde_json::from_slice(&bytes).map_err(|error| fail(error.to_string()))
    }

    /// POST of JSON.
    pub async fn post(&self, path: &str, body: &serde_json::Value) -> Result<(), DemoError> {
        let request = self.http.post(format!("{}{path}", self.base));
        let request = request.header("content-type", "application/json").body(body.to_string());
        Self::change(path, request).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Result<(), DemoError> {
        Self::change(path, self.http.delete(format!("{}{path}", self.base))).await
    }

    async fn change(path: &str, request: reqwest::RequestBuilder) -> Result<(), DemoError> {
        let fail = |reason: String| DemoError::Admin { path: path.to_owned(), reason };
        let answer = request.send().await.map_err(|error| fail(error.to_string()))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let text = read_bounded(answer, 4096).await.unwrap_or_default();
        Err(fail(format!("HTTP {status}: {}", String::from_utf8_lossy(&text))))
    }
}

/// GET, as text.
pub async fn text(url: &str) -> Result<String, String> {
    let answer = reqwest::get(url).await.map_err(|error| error.to_string())?;
    let bytes = read_bounded(answer, LISTING_BYTES_MAX).await?;
    String::from_utf8(bytes).map_err(|error| error.to_string())
}
