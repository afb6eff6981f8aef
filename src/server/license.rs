//! `GET /v1/license` and `POST /v1/license/refresh`: how the licence stands, in the words that clients know.

use super::Api;
use super::status;
use crate::authority::View;
use axum::extract::State;
use axum::response::Response;

pub(super) async fn show(State(api): State<Api>) -> Response {
    status::json(&View::told(api.license.view().as_ref()))
}

/// Asks the authority, and tells what stands then. An attempt that failed is told as `problem`; whether calls go
/// through is `status`.
pub(super) async fn refresh(State(api): State<Api>) -> Response {
    api.license.refresh().await;
    status::json(&View::told(api.license.view().as_ref()))
}

#[cfg(test)]
mod tests {
    use super::super::test_api::TestApi;

    #[tokio::test]
    async fn without_an_authority_the_licence_is_open() {
        let test_api = TestApi::new();
        for (method, path) in [("GET", "/v1/license"), ("POST", "/v1/license/refresh")] {
            let told = test_api.bare(method, path).await.json();
            assert_eq!(told["configured"], false);
            assert_eq!(told["license"]["valid"], true);
            assert_eq!(told["status"], "open");
        }
    }
}
