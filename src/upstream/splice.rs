//! A caller's body with the model's name replaced: its bytes go on as they are, and nothing of them is copied.

use crate::quote::quote;
use crate::wire::head::head;
use bytes::Bytes;
use hyper::body::Body;
use hyper::body::Frame;
use hyper::body::SizeHint;
use std::convert::Infallible;
use std::ops::Range;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;

/// The body: what stands before the name, the name, what stands behind it.
#[derive(Debug, Clone)]
pub(crate) struct SplicedBody {
    /// In the order of going out; an empty one goes out as none.
    pieces: [Bytes; 3],
    next: usize,
}

impl SplicedBody {
    /// The body with this model in place of the one that stands there, in quotes or bare as that one is.
    pub(crate) fn of(body: &Bytes, model_at: &Range<usize>, model: &str) -> SplicedBody {
        let written = match body[model_at.clone()].first() {
            Some(b'"') => quoted(model),
            _ => model.to_owned(),
        };
        SplicedBody {
            pieces: [
                body.slice(..model_at.start),
                written.into(),
                body.slice(model_at.end..),
            ],
            next: 0,
        }
    }

    /// The body as it is.
    pub(crate) fn whole(body: Bytes) -> SplicedBody {
        SplicedBody {
            pieces: [body, Bytes::new(), Bytes::new()],
            next: 0,
        }
    }

    fn left(&self) -> usize {
        self.pieces[self.next..].iter().map(Bytes::len).sum()
    }
}

/// Where the model's name stands in a body of JSON; an empty place where that cannot be told.
pub(super) fn model_at(body: &[u8]) -> Range<usize> {
    head(body).map_or(0..0, |head| head.model_at)
}

fn quoted(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    quote(text, &mut json);
    json
}

impl Body for SplicedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        while self.next < self.pieces.len() {
            let piece = self.pieces[self.next].clone();
            self.next += 1;
            if !piece.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.left() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use proptest::prelude::*;
    use serde_json::Value;
    use serde_json::json;

    fn sent(body: SplicedBody) -> Vec<u8> {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.expect("a runtime starts");
        let collected = runtime.block_on(body.collect());
        collected.expect("it cannot fail").to_bytes().to_vec()
    }

    #[test]
    fn a_body_that_names_no_model_or_two_has_no_place_for_one() {
        let named = br#"{"input": "model", "x": {"model": "n"}, "model": "m"}"#;
        assert_eq!(named[model_at(named)], *br#""m""#);
        for unnamed in [&b"{}"[..], br#"{"model": "m", "model": "n"}"#, b"x"] {
            assert_eq!(model_at(unnamed), 0..0);
        }
    }

    proptest! {
        #[test]
        fn nothing_but_the_name_changes(model in ".{1,9}", name in ".{1,9}", text in ".*", first in any::<bool>()) {
            let body = match first {
                true => json!({"model": model, "messages": text}),
                false => json!({"messages": text, "model": model, "n": 1}),
            };
            let body = Bytes::from(body.to_string());
            let at = model_at(&body);
            let spliced = SplicedBody::of(&body, &at, &name);
            prop_assert_eq!(spliced.size_hint().exact(), Some(spliced.left() as u64));
            let sent = sent(spliced);
            prop_assert!(sent.starts_with(&body[..at.start]) && sent.ends_with(&body[at.end..]));
            let read: Value = serde_json::from_slice(&sent).expect("it is JSON still");
            prop_assert_eq!(&read["model"], &name);
            prop_assert_eq!(&read["messages"], &text);
        }
    }

    #[test]
    fn a_body_that_keeps_its_name_is_one_piece() {
        let body = Bytes::from_static(b"{}");
        let whole = SplicedBody::whole(body.clone());
        assert!(!whole.is_end_stream());
        assert_eq!(sent(whole), body);
        assert!(SplicedBody::whole(Bytes::new()).is_end_stream());
    }
}
