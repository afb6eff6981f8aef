//! A body that passes unchanged while somebody reads it along.

use bytes::Bytes;
use hyper::body::Body;
use hyper::body::Frame;
use hyper::body::SizeHint;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

/// Somebody who reads along. What it is given is a look at the bytes that pass, and no copy.
pub(crate) trait Observer {
    /// A piece passes. What is given back is waited for before it does; an observer that keeps up gives nothing.
    fn hear(&mut self, data: &Bytes) -> Option<Hold>;

    /// The body is at its end; this is told once, and last. What is given back is waited for, unless nobody is left.
    fn end(&mut self, end: End) -> Option<Hold>;

    /// Whether it has heard enough. Then nothing more is told, not even the end.
    fn is_over(&self) -> bool {
        false
    }
}

/// How a body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// All of it came.
    Whole,
    /// It broke off.
    Broke,
    /// Whoever it was for went away before its end.
    Left,
}

/// What must be waited for before a piece passes.
pub(crate) type Hold = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The body: each frame passes as it came, after the observer heard it and before the next one is asked for.
pub(crate) struct ObservedBody<B: Body<Data = Bytes>, O: Observer> {
    /// `None`: an empty one.
    body: Option<B>,
    observer: Option<O>,
    held: Option<Held<B::Error>>,
}

/// A frame, or the end, that may not pass yet.
struct Held<E> {
    hold: Hold,
    frame: Option<Result<Frame<Bytes>, E>>,
}

impl<B: Body<Data = Bytes>, O: Observer> ObservedBody<B, O> {
    /// One without an observer just passes.
    pub(crate) fn of(body: B, observer: Option<O>) -> ObservedBody<B, O> {
        ObservedBody {
            body: Some(body),
            observer,
            held: None,
        }
    }

    /// An empty body.
    pub(crate) fn nothing() -> ObservedBody<B, O> {
        ObservedBody {
            body: None,
            observer: None,
            held: None,
        }
    }

    /// Tells of a frame, or of the end.
    fn tell(&mut self, frame: Option<&Result<Frame<Bytes>, B::Error>>) -> Option<Hold> {
        let data = match frame {
            Some(Ok(frame)) => frame.data_ref()?,
            Some(Err(_)) => return self.tell_end(End::Broke),
            None => return self.tell_end(End::Whole),
        };
        let observer = self.observer.as_mut()?;
        let hold = observer.hear(data);
        if observer.is_over() {
            self.observer = None;
        }
        hold
    }

    fn tell_end(&mut self, end: End) -> Option<Hold> {
        self.observer.take()?.end(end)
    }

    /// What must be waited for after the last frame: whoever reads the body asks for none after it.
    fn tell_last(&mut self) -> Option<Hold> {
        match self.body.as_ref().is_none_or(Body::is_end_stream) {
            true => self.tell_end(End::Whole),
            false => None,
        }
    }
}

impl<B, O> Body for ObservedBody<B, O>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Unpin,
    O: Observer + Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = &mut *self;
        loop {
            let (frame, hold) = match this.held.take() {
                Some(mut held) => match held.hold.as_mut().poll(context) {
                    Poll::Ready(()) => (held.frame, this.tell_last()),
                    Poll::Pending => {
                        this.held = Some(held);
                        return Poll::Pending;
                    }
                },
                None => {
                    let Some(body) = &mut this.body else {
                        return Poll::Ready(None);
                    };
                    let frame = ready!(Pin::new(body).poll_frame(context));
                    let hold = this.tell(frame.as_ref());
                    (frame, hold.or_else(|| this.tell_last()))
                }
            };
            match hold {
                None => return Poll::Ready(frame),
                Some(hold) => this.held = Some(Held { hold, frame }),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_none() && self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let body = self.body.as_ref();
        body.map_or(SizeHint::with_exact(0), Body::size_hint)
    }
}

impl<B: Body<Data = Bytes>, O: Observer> Drop for ObservedBody<B, O> {
    fn drop(&mut self) {
        drop(self.tell_end(End::Left));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::lock;
    use http_body_util::BodyExt;
    use std::collections::VecDeque;
    use std::sync::Arc;
    use std::sync::Mutex;
    use tokio::sync::oneshot;

    /// What an observer wrote down; one a test.
    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<String>>>);

    impl Page {
        fn note(&self, text: String) {
            let mut all = lock(&self.0);
            all.push(text);
        }

        fn read(&self) -> String {
            let all = lock(&self.0);
            all.join(" ")
        }
    }

    /// Writes down what it hears. It keeps up but where it has something to wait for, and has heard enough at "enough".
    #[derive(Default)]
    struct Pen {
        page: Page,
        hears_when: Option<oneshot::Receiver<()>>,
        ends_when: Option<oneshot::Receiver<()>>,
        is_over: bool,
    }

    fn until(told: &mut Option<oneshot::Receiver<()>>) -> Option<Hold> {
        let told = told.take()?;
        Some(Box::pin(async { drop(told.await) }))
    }

    impl Observer for Pen {
        fn hear(&mut self, data: &Bytes) -> Option<Hold> {
            self.is_over = *data == "enough";
            self.page.note(String::from_utf8_lossy(data).into_owned());
            until(&mut self.hears_when)
        }

        fn end(&mut self, end: End) -> Option<Hold> {
            self.page.note(format!("{end:?}"));
            until(&mut self.ends_when)
        }

        fn is_over(&self) -> bool {
            self.is_over
        }
    }

    /// Says this; whether it is at its end is known before it is asked, or not.
    struct Saying {
        said: VecDeque<Result<&'static str, &'static str>>,
        is_counted: bool,
    }

    impl Body for Saying {
        type Data = Bytes;
        type Error = &'static str;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
            let said = self.said.pop_front();
            Poll::Ready(
                said.map(|said| said.map(|text| Frame::data(Bytes::from_static(text.as_bytes())))),
            )
        }

        fn is_end_stream(&self) -> bool {
            self.is_counted && self.said.is_empty()
        }
    }

    fn saying(said: &[&'static str], is_counted: bool) -> Saying {
        let said = said.iter().map(|text| Ok(*text)).collect();
        Saying { said, is_counted }
    }

    async fn next(body: &mut ObservedBody<Saying, Pen>) -> String {
        match body.frame().await {
            Some(Ok(frame)) => {
                let data = frame.into_data().unwrap_or_default();
                String::from_utf8_lossy(&data).into_owned()
            }
            Some(Err(error)) => error.to_owned(),
            None => "none".to_owned(),
        }
    }

    #[tokio::test]
    async fn all_is_heard_and_passes_and_the_end_is_told_once() {
        for is_counted in [false, true] {
            let page = Page::default();
            let pen = Pen {
                page: page.clone(),
                ..Pen::default()
            };
            let mut body = ObservedBody::of(saying(&["a", "b"], is_counted), Some(pen));
            assert_eq!(next(&mut body).await, "a");
            assert_eq!(next(&mut body).await, "b");
            // Whoever reads a body whose length is known asks for nothing after its last piece.
            let expected = if is_counted { "a b Whole" } else { "a b" };
            assert_eq!(
                (page.read().as_str(), body.is_end_stream()),
                (expected, is_counted)
            );
            assert_eq!(next(&mut body).await, "none");
            drop(body);
            assert_eq!(page.read(), "a b Whole");
        }
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_and_one_that_nobody_reads_to_its_end_are_told() {
        let broken = Page::default();
        let pen = Pen {
            page: broken.clone(),
            ..Pen::default()
        };
        let said = [Ok("a"), Err("gone")].into();
        let mut body = ObservedBody::of(
            Saying {
                said,
                is_counted: false,
            },
            Some(pen),
        );
        assert_eq!(
            (next(&mut body).await, next(&mut body).await),
            ("a".into(), "gone".into())
        );
        drop(body);
        let left = Page::default();
        let pen = Pen {
            page: left.clone(),
            ..Pen::default()
        };
        let mut body = ObservedBody::of(saying(&["a", "b"], true), Some(pen));
        assert_eq!(next(&mut body).await, "a");
        drop(body);
        assert_eq!(
            (broken.read(), left.read()),
            ("a Broke".into(), "a Left".into())
        );
    }

    #[tokio::test]
    async fn one_who_has_heard_enough_hears_nothing_more_and_all_passes() {
        let page = Page::default();
        let pen = Pen {
            page: page.clone(),
            ..Pen::default()
        };
        let mut body = ObservedBody::of(saying(&["enough", "b"], true), Some(pen));
        assert_eq!(
            (next(&mut body).await, next(&mut body).await),
            ("enough".into(), "b".into())
        );
        drop(body);
        assert_eq!(page.read(), "enough");
    }

    #[tokio::test]
    async fn a_piece_and_the_end_wait_for_one_who_is_behind() {
        let (heard, hears_when) = oneshot::channel();
        let (ended, ends_when) = oneshot::channel();
        let pen = Pen {
            hears_when: Some(hears_when),
            ends_when: Some(ends_when),
            ..Pen::default()
        };
        let page = pen.page.clone();
        let mut body = ObservedBody::of(saying(&["a"], true), Some(pen));
        let mut waits = async || {
            let polled = std::future::poll_fn(|context| {
                Poll::Ready(
                    Pin::new(&mut body)
                        .poll_frame(context)
                        .map(|frame| frame.is_some()),
                )
            });
            (polled.await, body.is_end_stream())
        };
        assert_eq!(waits().await, (Poll::Pending, false));
        assert_eq!(page.read(), "a");
        drop(heard);
        assert_eq!(waits().await, (Poll::Pending, false));
        assert_eq!(page.read(), "a Whole");
        drop(ended);
        assert_eq!(waits().await, (Poll::Ready(true), true));
        assert_eq!(waits().await, (Poll::Ready(false), true));
    }
}
