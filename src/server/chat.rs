//! `POST /v1/chat/completions`.

use super::Api;
use super::frame::Refusal;
use super::front;
use super::front::Asked;
use super::front::Context;
use crate::clock;
use crate::lane::Dialect;
use crate::wire::openai::chat::answer::Writer;
use crate::wire::openai::chat::request;
use crate::wire::openai::chat::request::AnswerWish;
use axum::extract::Request;
use axum::extract::State;
use axum::response::Response;

/// A turn, buffered or streamed.
pub(super) async fn create(
    State(api): State<Api>,
    context: Context,
    request: Request,
) -> Result<Response, Refusal> {
    let is_named = context.is_named(request.headers())?;
    let (id, created) = (context.stem(), clock::unix_ms() / 1000);
    let (recall, owner) = (api.recall.clone(), context.caller.owner());
    let plain = Box::new(Writer::new(&id, created, AnswerWish::default()));
    let read = move |body: &[u8]| {
        let call = request::call(body, is_named, &|call| recall.find(&owner, call))?;
        let (recall, owner) = (recall.clone(), owner.clone());
        let keep = move |call: &str, blocks| recall.keep(&owner, call, blocks);
        let writer = Writer::new(&id, created, call.wish).remembered_by(Box::new(keep));
        Ok(Asked {
            request: call.request,
            stream: call.stream,
            writer: Box::new(writer),
        })
    };
    front::answer(api, context, Dialect::Chat, request, plain, read).await
}
