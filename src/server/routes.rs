//! A request's way to its handler: by the router, or for a turn at once.

use super::Api;
use super::admission;
use super::chat;
use super::frame;
use super::frame::Framed;
use super::frame::Refusal;
use super::front::Context;
use super::guard;
use super::messages;
use super::responses;
use super::router;
use crate::auth::Caller;
use crate::auth::Peer;
use crate::listen::Answering;
use axum::BoxError;
use axum::Router;
use axum::body::Body;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::Method;
use axum::response::IntoResponse;
use axum::response::Response;
use hyper::Request;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use std::borrow::Cow;
use std::convert::Infallible;

/// All routes; cheap to clone, which each connection does.
#[derive(Clone)]
pub(super) struct Routes {
    api: Api,
    router: TowerToHyperService<Router>,
}

impl Routes {
    pub(super) fn new(api: Api) -> Routes {
        let router = TowerToHyperService::new(router::router(api.clone()));
        Routes { api, router }
    }

    /// Answers a request. Turns, which nearly all calls are, go to their handlers at once: what the router would find for
    /// them is known, and it makes a dozen allocations to find it.
    pub(super) fn answer<B>(
        &self,
        mut request: Request<B>,
        peer: Peer,
    ) -> Answering<Body, Infallible>
    where
        B: hyper::body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        match Turn::of(&request) {
            Some(turn) => {
                let request = Box::new(request.map(Body::new));
                Box::pin(turn.answer(self.api.clone(), request, peer))
            }
            None => {
                request.extensions_mut().insert(peer);
                Box::pin(self.router.call(request))
            }
        }
    }
}

/// A turn on one of the routes that take nearly all calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Messages,
    Chat,
    Responses,
}

impl Turn {
    fn of<B>(request: &Request<B>) -> Option<Turn> {
        let turns = [Turn::Messages, Turn::Chat, Turn::Responses].into_iter();
        let mut turns = turns.filter(|_| request.method() == Method::POST);
        turns.find(|turn| turn.path() == request.uri().path())
    }

    pub(super) const fn path(self) -> &'static str {
        match self {
            Turn::Messages => "/v1/messages",
            Turn::Chat => "/v1/chat/completions",
            Turn::Responses => "/v1/responses",
        }
    }

    async fn answer(
        self,
        api: Api,
        request: Box<Request<Body>>,
        peer: Peer,
    ) -> Result<Response, Infallible> {
        let created = |request, framed, caller| async {
            let created = self.create(&api, request, framed, caller).await;
            created.into_response()
        };
        Ok(entered(&api, self.path().into(), request, peer, created).await)
    }

    async fn create(
        self,
        api: &Api,
        request: Box<Request<Body>>,
        framed: Framed,
        caller: Caller,
    ) -> Result<Response, Refusal> {
        let (api, context) = (State(api.clone()), Context::of(framed, caller));
        match self {
            Turn::Messages => messages::create(api, context, *request).await,
            Turn::Chat => chat::create(api, context, *request).await,
            // It is by far the largest, and each call's future has room for the largest.
            Turn::Responses => Box::pin(responses::create(api, context, *request)).await,
        }
    }
}

/// What stands around every route, the outermost first: frame, guard, admission. The request is boxed until its handler has
/// it: each of them has its place in a call's future twice, which would be a quarter of all that a call takes.
pub(super) async fn entered<F>(
    api: &Api,
    route: Cow<'static, str>,
    request: Box<Request<Body>>,
    peer: Peer,
    next: impl FnOnce(Box<Request<Body>>, Framed, Caller) -> F,
) -> Response
where
    F: Future<Output = Response>,
{
    let guarded = move |request, framed| {
        let admitted = move |request| admission::admit(api, request, peer, framed, next);
        guard::guard(api, request, admitted)
    };
    frame::frame(api, route, request, guarded).await
}
