//! A copy of an answer's body, taken out of its content coding piece by piece. `[pure]`

use brotli_decompressor::DecompressorWriter;
use flate2::write::GzDecoder;
use flate2::write::ZlibDecoder;
use std::io;
use std::io::Write;

/// How the body is coded.
pub(super) enum Coding {
    Plain,
    Gzip(GzDecoder<Vec<u8>>),
    Deflate(ZlibDecoder<Vec<u8>>),
    Brotli(Box<DecompressorWriter<Vec<u8>>>),
}

impl Coding {
    /// By the value of `content-encoding`; `None` for one that is not read here, `zstd` among them: its decoders in
    /// Rust give nothing out before a window is full, and a stream would come too late to be worth anything.
    pub(super) fn of(name: Option<&str>) -> Option<Coding> {
        Some(match name.unwrap_or("identity").trim() {
            "identity" => Coding::Plain,
            "gzip" | "x-gzip" => Coding::Gzip(GzDecoder::new(Vec::new())),
            "deflate" => Coding::Deflate(ZlibDecoder::new(Vec::new())),
            "br" => Coding::Brotli(Box::new(DecompressorWriter::new(
                Vec::new(),
                BROTLI_BUFFER_BYTES,
            ))),
            _ => return None,
        })
    }

    /// What the next bytes hold, as far as it can be known from them.
    ///
    /// # Errors
    /// Where they are not of this coding.
    pub(super) fn decode(&mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Coding::Plain => Ok(bytes.to_vec()),
            Coding::Gzip(decoder) => {
                written(decoder, bytes)?;
                Ok(std::mem::take(decoder.get_mut()))
            }
            Coding::Deflate(decoder) => {
                written(decoder, bytes)?;
                Ok(std::mem::take(decoder.get_mut()))
            }
            Coding::Brotli(decoder) => {
                written(decoder.as_mut(), bytes)?;
                Ok(std::mem::take(decoder.get_mut()))
            }
        }
    }
}

fn written(decoder: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    decoder.write_all(bytes)?;
    decoder.flush()
}

/// What brotli gives out at once.
const BROTLI_BUFFER_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use flate2::write::ZlibEncoder;

    /// Writes two events, each flushed, and gives the bytes of both.
    fn flushed(mut write: impl FnMut(&str) -> Vec<u8>) -> Vec<Vec<u8>> {
        ["data: one\n\n", "data: two é\n\n"]
            .map(&mut write)
            .to_vec()
    }

    fn reads_each_flush_at_once(name: &str, pieces: &[Vec<u8>]) {
        let mut coding = Coding::of(Some(name)).expect("the coding is known");
        let told = pieces.iter().map(|piece| {
            let bytes = coding.decode(piece).expect("the bytes are of this coding");
            String::from_utf8(bytes).expect("the text is UTF-8")
        });
        assert_eq!(
            told.collect::<Vec<_>>(),
            ["data: one\n\n", "data: two é\n\n"],
            "{name}"
        );
    }

    #[test]
    fn what_was_flushed_is_read_at_once() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        let pieces = flushed(|text| {
            written(&mut gzip, text.as_bytes()).expect("memory takes everything");
            std::mem::take(gzip.get_mut())
        });
        reads_each_flush_at_once("gzip", &pieces);
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        let pieces = flushed(|text| {
            written(&mut zlib, text.as_bytes()).expect("memory takes everything");
            std::mem::take(zlib.get_mut())
        });
        reads_each_flush_at_once("deflate", &pieces);
        reads_each_flush_at_once("identity", &flushed(|text| text.as_bytes().to_vec()));
    }

    #[test]
    fn other_codings_are_not_read() {
        assert!(Coding::of(Some("zstd")).is_none());
        assert!(Coding::of(Some("gzip, br")).is_none());
        let mut gzip = Coding::of(Some("gzip")).expect("the coding is known");
        assert!(gzip.decode(b"event: ping").is_err());
    }
}
