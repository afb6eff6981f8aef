//! Chunks that are as the one before but for the text that they bring. `[pure]`
//!
//! A host repeats itself in every chunk: the answer's id, its model, and all the rest. What was read around one text
//! need not be read around the next, where it is the same to the byte.

use serde_json::value::RawValue;

/// What stands around a chunk's text, its quotes included.
#[derive(Debug)]
pub(super) struct Alike {
    before: String,
    after: String,
}

impl Alike {
    /// What stands around a text in the chunk that it was read in.
    pub(super) fn around(text: &RawValue, chunk: &str) -> Option<Alike> {
        let text = text.get();
        let begin = text.as_ptr().addr().checked_sub(chunk.as_ptr().addr())?;
        let end = begin.checked_add(text.len())?;
        Some(Alike {
            before: chunk.get(..=begin)?.to_owned(),
            after: chunk.get(end.checked_sub(1)?..)?.to_owned(),
        })
    }

    /// The text of a chunk that differs in nothing else; `None`: it does, or holds what no text may.
    pub(super) fn text(&self, chunk: &str) -> Option<String> {
        let inner = chunk.strip_prefix(self.before.as_str())?;
        let inner = inner.strip_suffix(self.after.as_str())?;
        let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
        match inner.bytes().all(is_plain) {
            true => Some(inner.to_owned()),
            false => serde_json::from_str(&["\"", inner, "\""].concat()).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Deserialize;
    use serde_json::Value;
    use serde_json::json;

    #[derive(Deserialize)]
    struct Chunk<'a> {
        #[serde(borrow)]
        text: &'a RawValue,
    }

    fn around(chunk: &str) -> Alike {
        let read: Chunk<'_> = serde_json::from_str(chunk).expect("it is JSON");
        Alike::around(read.text, chunk).expect("it stands in it")
    }

    #[test]
    fn a_chunk_of_another_kind_is_not_alike() {
        let alike = around(r#"{"id":"a","text":"one","n":1}"#);
        for (chunk, text) in [
            (r#"{"id":"a","text":"two","n":1}"#, Some("two")),
            (r#"{"id":"a","text":"","n":1}"#, Some("")),
            (r#"{"id":"a","text":"t\n\"o","n":1}"#, Some("t\n\"o")),
            (r#"{"id":"b","text":"two","n":1}"#, None),
            (r#"{"id":"a","text":"two","n":2}"#, None),
            (r#"{"id":"a","text":null,"n":1}"#, None),
            (r#"{"id":"a","text":"","error":"","n":1}"#, None),
            (r#"{"id":"a","text":"\","n":1}"#, None),
            (r#"{"id":"a","text":"\ud800","n":1}"#, None),
            (r#"{"id":"a","text":","n":1}"#, None),
        ] {
            assert_eq!(alike.text(chunk).as_deref(), text, "{chunk}");
        }
    }

    proptest! {
        /// Whatever stands between: what is read is what a reader of the whole reads, and the rest is as it was.
        #[test]
        fn a_text_is_what_a_reader_of_the_whole_finds(inner in r#"([a-c"\\:,é\x01]|\\n|\\u00e9|","){0,12}"#) {
            let alike = around(r#"{"id":"a","text":"one","n":1}"#);
            let chunk = [r#"{"id":"a","text":""#, &inner, r#"","n":1}"#].concat();
            let whole: Option<Value> = serde_json::from_str(&chunk).ok();
            match alike.text(&chunk) {
                Some(text) => prop_assert_eq!(whole, Some(json!({"id": "a", "text": text, "n": 1}))),
                None => {
                    let quoted = ["\"", &inner, "\""].concat();
                    prop_assert!(serde_json::from_str::<String>(&quoted).is_err());
                }
            }
        }
    }
}
