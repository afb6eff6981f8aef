//! Which relays a call has come through, so that one that leads back to where it was ends there. `[pure]`
//!
//! A host of the catalog may be another relay, and that one's host this one. Each relay writes itself behind those before
//! it into `CDN-Loop` (RFC 8586), which is made for that and which no server between may take away. The alternative
//! that lost is `Via`: servers answer otherwise where they see one, and so others remove it.

use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;
use hyper::HeaderMap;
use hyper::header::HeaderName;
use hyper::header::HeaderValue;
use std::sync::LazyLock;
use uuid::Uuid;

/// The header of all that passed a call on.
pub(crate) const CDN_LOOP: HeaderName = HeaderName::from_static("cdn-loop");

/// What a call's header says of those before us; empty where nobody was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Hops(String);

impl Hops {
    /// What these headers say.
    ///
    /// # Errors
    /// `loop_detected`, where the call came through this relay, or through more relays than any chain has.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Hops, Fault> {
        Hops::before(headers, &OWN)
    }

    /// The same for the relay of this mark.
    fn before(headers: &HeaderMap, own: &str) -> Result<Hops, Fault> {
        let mut all = headers.get_all(&CDN_LOOP).iter().peekable();
        if all.peek().is_none() {
            return Ok(Hops::default());
        }
        let texts = all.filter_map(|value| value.to_str().ok());
        let hops = Hops(texts.collect::<Vec<_>>().join(", "));
        if hops.relays().any(|mark| mark == own) {
            let public = "The call has come back to the relay that sent it: a host of the catalog leads to this relay \
                itself, by its own address or by others. Correct that host's `url`.";
            return Err(looped(public).because("a call bears this relay's own mark"));
        }
        if hops.relays().count() > HOPS_MAX || hops.0.len() > HOPS_BYTES_MAX {
            let public = format!(
                "The call has come through more than {HOPS_MAX} relays, which no chain has that does not lead in a \
                 circle. Correct the `url` of the host that leads here."
            );
            return Err(looped(&public).because("a call came through too many relays"));
        }
        Ok(hops)
    }

    /// The header for a host: those before us, and us.
    pub(crate) fn onward(&self) -> Option<HeaderValue> {
        match self.0.as_str() {
            "" => HeaderValue::from_str(&OWN),
            before => HeaderValue::from_str(&format!("{before}, {}", *OWN)),
        }
        .ok()
    }

    /// The marks of relays; others that passed the call on are none of ours.
    fn relays(&self) -> impl Iterator<Item = &str> {
        let marks = self.0.split(',').map(str::trim);
        marks.filter(|mark| mark.split(';').next().is_some_and(|id| id.trim() == ID))
    }
}

fn looped(public: &str) -> Fault {
    Fault::new(FaultKind::LoopDetected, Blame::Relay, public)
}

/// What every relay writes.
const ID: &str = "inference-relay";
/// What this one writes: it says of no relay which it is, but to itself.
static OWN: LazyLock<String> = LazyLock::new(|| format!("{ID};i={}", Uuid::new_v4().simple()));
/// Relays that a call may have come through before this one: a chain has two or three.
const HOPS_MAX: usize = 8;
/// Bytes of the header that are passed on: those of so many relays, and of the networks between them.
const HOPS_BYTES_MAX: usize = 4 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CDN_LOOP, HeaderValue::from_str(value).expect("a value"));
        }
        headers
    }

    #[test]
    fn a_call_that_bears_our_own_mark_ends_and_one_of_others_goes_on_with_all_of_theirs() {
        let own = "inference-relay;i=own";
        for values in [
            &["inference-relay;i=own"][..],
            &["a.example", "x; l=1, inference-relay;i=own ,y"],
        ] {
            let found = Hops::before(&headers(values), own).map_err(|fault| fault.kind);
            assert_eq!(found, Err(FaultKind::LoopDetected), "{values:?}");
        }
        let others = headers(&["cloudflare; loops=1", "inference-relay;i=other"]);
        let hops = Hops::before(&others, own).expect("it goes on");
        let onward = hops.onward().expect("it fits into a header");
        let onward = onward.to_str().expect("it is ASCII");
        assert!(
            onward.starts_with("cloudflare; loops=1, inference-relay;i=other, inference-relay;i=")
        );
        assert_eq!(Hops::before(&HeaderMap::new(), own), Ok(Hops::default()));
    }

    #[test]
    fn there_are_so_many_hops_whoever_they_are() {
        let marks = |count: usize| vec!["inference-relay;i=other"; count].join(",");
        assert!(Hops::of(&headers(&[&marks(HOPS_MAX)])).is_ok());
        assert!(Hops::of(&headers(&[&marks(HOPS_MAX + 1)])).is_err());
        assert!(Hops::of(&headers(&[&"x,".repeat(HOPS_BYTES_MAX)])).is_err());
    }
}
