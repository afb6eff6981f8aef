//! What routing needs of a JSON body, without reading the rest of it: the model's name, where it stands, and whether the
//! answer is to be streamed.
//!
//! A body that is passed on as bytes is looked at once, from its first byte to its last, and nothing of it is copied.
//! Strings are passed over at the speed of a search for their end.

use memchr::memchr2;
use std::borrow::Cow;
use std::ops::Range;

/// The head of a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head<'a> {
    pub(crate) model: Cow<'a, str>,
    /// Where the model's name stands, its quotes included.
    pub(crate) model_at: Range<usize>,
    pub(crate) is_streamed: bool,
}

/// Why a body has no head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoHead {
    /// It is no JSON object, or one without a model's name: whoever reads all of it says what is wrong.
    Unreadable,
    /// A name that decides stands in it twice, and two readers could believe two different ones.
    Twice(&'static str),
}

/// Looks at a body.
///
/// # Errors
/// Where it is not what it should be, as far as that can be seen without reading all of it.
pub(crate) fn head(body: &[u8]) -> Result<Head<'_>, NoHead> {
    let mut scan = Scan { body, at: 0 };
    scan.expect(b'{')?;
    let (mut model, mut stream) = (None, None);
    if !scan.is_next(b'}') {
        loop {
            let name = scan.string()?;
            scan.expect(b':')?;
            scan.blank();
            let value = scan.value()?;
            match name_of(&body[name]) {
                Some(Name::Model) => once(&mut model, value, "model")?,
                Some(Name::Stream) => once(&mut stream, value, "stream")?,
                Some(Name::Other) => {}
                None => return Err(NoHead::Unreadable),
            }
            match scan.next() {
                Some(b',') => scan.blank(),
                Some(b'}') => break,
                _ => return Err(NoHead::Unreadable),
            }
        }
    }
    scan.blank();
    let model_at = model.filter(|_| scan.at == body.len());
    let model_at = model_at.ok_or(NoHead::Unreadable)?;
    let is_streamed = match stream.map(|at: Range<usize>| &body[at]) {
        None | Some(b"false" | b"null") => false,
        Some(b"true") => true,
        Some(_) => return Err(NoHead::Unreadable),
    };
    Ok(Head {
        model: decoded(&body[model_at.clone()]).ok_or(NoHead::Unreadable)?,
        model_at,
        is_streamed,
    })
}

/// The name of a field, as far as it matters.
enum Name {
    Model,
    Stream,
    Other,
}

/// What a name in its quotes is; `None` where it is no text. Nearly all are written without an escape.
fn name_of(quoted: &[u8]) -> Option<Name> {
    let is_plain = |byte: &u8| byte.is_ascii_lowercase() || *byte == b'_';
    let inner = quoted.get(1..quoted.len().saturating_sub(1))?;
    match inner {
        b"model" => Some(Name::Model),
        b"stream" => Some(Name::Stream),
        inner if inner.iter().all(is_plain) => Some(Name::Other),
        _ => Some(match decoded(quoted)?.as_ref() {
            "model" => Name::Model,
            "stream" => Name::Stream,
            _ => Name::Other,
        }),
    }
}

pub(super) fn once(
    place: &mut Option<Range<usize>>,
    value: Range<usize>,
    name: &'static str,
) -> Result<(), NoHead> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(NoHead::Twice(name)),
    }
}

/// A JSON string, quotes included, as its text; `None` where it is none.
fn decoded(quoted: &[u8]) -> Option<Cow<'_, str>> {
    let inner = quoted.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    match memchr::memchr(b'\\', inner) {
        None => std::str::from_utf8(inner).ok().map(Cow::Borrowed),
        Some(_) => serde_json::from_slice(quoted).ok().map(Cow::Owned),
    }
}

/// A body being passed over.
struct Scan<'a> {
    body: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    fn blank(&mut self) {
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        self.at += self.body[self.at..].iter().take_while(|b| blank(b)).count();
    }

    /// The next byte that is not blank.
    fn next(&mut self) -> Option<u8> {
        self.blank();
        let byte = self.body.get(self.at).copied();
        self.at += usize::from(byte.is_some());
        byte
    }

    fn expect(&mut self, wanted: u8) -> Result<(), NoHead> {
        match self.next() {
            Some(byte) if byte == wanted => Ok(()),
            _ => Err(NoHead::Unreadable),
        }
    }

    /// Whether this byte is next; it is taken then.
    fn is_next(&mut self, wanted: u8) -> bool {
        self.blank();
        let is = self.body.get(self.at) == Some(&wanted);
        self.at += usize::from(is);
        is
    }

    /// Passes over a string.
    fn string(&mut self) -> Result<Range<usize>, NoHead> {
        let begin = self.at;
        self.expect(b'"')?;
        loop {
            let found = memchr2(b'"', b'\\', &self.body[self.at..]);
            self.at += found.ok_or(NoHead::Unreadable)? + 1;
            match self.body[self.at - 1] {
                b'"' => break,
                _ => self.at += 1, // What is escaped; the quote of `\u` digits is none.
            }
            if self.at > self.body.len() {
                return Err(NoHead::Unreadable);
            }
        }
        Ok(begin..self.at)
    }

    /// Passes over a value of any kind.
    fn value(&mut self) -> Result<Range<usize>, NoHead> {
        let begin = self.at;
        match self.body.get(self.at) {
            Some(b'"') => return self.string(),
            Some(b'{' | b'[') => self.nested()?,
            Some(_) => {
                let ends =
                    |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n');
                let rest = &self.body[self.at..];
                self.at += rest.iter().position(ends).unwrap_or(rest.len());
            }
            None => return Err(NoHead::Unreadable),
        }
        match self.at > begin {
            true => Ok(begin..self.at),
            false => Err(NoHead::Unreadable),
        }
    }

    /// Passes over an object or a list, and all that is in it.
    fn nested(&mut self) -> Result<(), NoHead> {
        let mut depth = 0_usize;
        loop {
            match self.body.get(self.at) {
                None => return Err(NoHead::Unreadable),
                Some(b'"') => {
                    self.string()?;
                    continue;
                }
                Some(b'{' | b'[') => depth += 1,
                Some(b'}' | b']') => depth -= 1,
                Some(_) => {}
            }
            self.at += 1;
            if depth == 0 {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;
    use serde_json::json;

    #[test]
    fn the_model_is_found_wherever_it_stands_and_however_it_is_written() {
        for (body, model, is_streamed) in [
            (r#"{"model":"m","stream":true}"#, "m", true),
            (
                " { \"stream\" : false , \"model\" :\t\"m\" } \n",
                "m",
                false,
            ),
            (
                r#"{"a":{"model":"x","b":["}\"",1]},"model":"m\"é"}"#,
                "m\"é",
                false,
            ),
            (r#"{"\u006dodel":"m","n":-1.5e9}"#, "m", false),
        ] {
            let head = head(body.as_bytes()).expect("the body has a head");
            assert_eq!((&*head.model, head.is_streamed), (model, is_streamed));
            let quoted: Value = serde_json::from_str(&body[head.model_at]).expect("a string");
            assert_eq!(quoted, model);
        }
    }

    #[test]
    fn what_decides_twice_is_refused_and_what_cannot_be_read_is_left_to_the_reader() {
        let of = |body: &str| head(body.as_bytes()).map(|_| ());
        assert_eq!(
            of(r#"{"model":"a","model":"b"}"#),
            Err(NoHead::Twice("model"))
        );
        assert_eq!(
            of(r#"{"model":"a","stream":true,"\u0073tream":false}"#),
            Err(NoHead::Twice("stream"))
        );
        for broken in [
            "",
            "{",
            "[]",
            "{}",
            "null",
            r#"{"model":1}"#,
            r#"{"model":"a"#,
            r#"{"model":"a\"#,
            r#"{"model":"a"} x"#,
            r#"{"model":"a","stream":1}"#,
            r#"{"model":"a",}"#,
            r#"{"a":}"#,
            r#"{"model":"a","b":[}"#,
        ] {
            assert_eq!(of(broken), Err(NoHead::Unreadable), "{broken}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            drop(head(&bytes));
        }

        #[test]
        fn it_agrees_with_a_reader_of_all(model in ".*", text in ".*", number in any::<i64>(), stream in any::<bool>()) {
            let body = json!({"messages": [{"content": text}], "n": number, "model": model, "stream": stream});
            let body = body.to_string();
            let head = head(body.as_bytes()).expect("it has a head");
            prop_assert_eq!(&*head.model, model.as_str());
            prop_assert_eq!(head.is_streamed, stream);
        }
    }
}
