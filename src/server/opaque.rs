//! Routes of OpenAI's API that are no turn: embeddings, pictures, speech, transcripts. No lane reads them; a host that is bound with one
//! of OpenAI's adapters gets their bytes, under the same policies, limits and budgets as a turn.

use super::Api;
use super::body;
use super::frame::Refusal;
use super::front;
use super::front::Context;
use crate::clock;
use crate::lane::Dialect;
use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::wire::openai::chat::answer::Writer;
use crate::wire::openai::chat::request::AnswerWish;
use axum::extract::Request;
use axum::http::header;
use axum::response::Response;

/// The routes, each of which takes JSON that names a model.
pub(super) const ROUTES: [&str; 5] = [
    "/v1/embeddings",
    "/v1/moderations",
    "/v1/images/generations",
    "/v1/audio/speech",
    "/v1/rerank",
];

/// Routes that take a form with files, beside JSON.
pub(super) const FORMS: [&str; 4] = [
    "/v1/images/edits",
    "/v1/images/variations",
    "/v1/audio/transcriptions",
    "/v1/audio/translations",
];

/// A call whose bytes go on.
pub(super) async fn create(
    path: &'static str,
    api: Api,
    context: Context,
    request: Request,
) -> Result<Response, Refusal> {
    let taken = front::take(&api, &context.caller, Dialect::Opaque(path), request).await?;
    let original = &taken.original;
    let mut kinds = original.headers.get_all(header::CONTENT_TYPE).iter();
    if kinds.nth(1).is_some() {
        let public = "content-type: the header stands there twice; two readers could believe two different ones.";
        return Err(Fault::new(FaultKind::InvalidRequest, Blame::Client, public).into());
    }
    let head = match body::is_form(&original.headers) {
        true => front::form_head(&original.body, body::content_type(&original.headers)),
        false => front::known_head(&original.body),
    };
    let Some(head) = head? else {
        return Err(unreadable(api.is_declared(), path).into());
    };
    let created = clock::unix_ms() / 1000;
    let stem = context.stem();
    let plain = move || Box::new(Writer::new(&stem, created, AnswerWish::default())) as _;
    let read = move |_: &[u8]| Err(unserved(path));
    front::pass(&api, context, taken, head, (Box::new(plain), None), read).await
}

/// A body without a model that could be looked up.
fn unreadable(is_declared: bool, path: &str) -> Fault {
    match is_declared {
        true => {
            let public = "model: Field required; the body is one JSON object, or a form where the route takes one, that \
                          names a model of GET /v1/models";
            Fault::new(FaultKind::InvalidRequest, Blame::Client, public)
        }
        false => unserved(path),
    }
}

fn unserved(path: &str) -> Fault {
    let public = format!(
        "No lane of this relay serves {path} for this model. A host of OpenAI's API does: bind one in the catalog, \
         with the adapter openai."
    );
    Fault::new(FaultKind::UnsupportedError, Blame::Relay, public)
}

#[cfg(test)]
mod tests {
    use super::super::test_api::TestApi;
    use super::FORMS;
    use super::ROUTES;

    #[tokio::test]
    async fn each_route_takes_json_that_is_posted() {
        let test_api = TestApi::new();
        for route in ROUTES.iter().chain(&FORMS) {
            assert_eq!(test_api.bare("GET", route).await.status.as_u16(), 405);
            assert_eq!(test_api.bare("POST", route).await.status.as_u16(), 415);
            let told = test_api.post(route, "{").await;
            assert_eq!(told.status.as_u16(), 501, "{route}");
            assert_eq!(told.json()["error"]["code"], "unsupported_error");
        }
    }
}
