//! What an answer's body holds, taken out of its content coding piece by piece. `[pure]`

use brotli_decompressor::DecompressorWriter;
use flate2::write::GzDecoder;
use flate2::write::ZlibDecoder;
use std::borrow::Cow;
use std::io;
use std::io::Write;

/// How the body is coded.
pub(crate) enum Coding {
    Plain,
    Gzip(GzDecoder<Piece>),
    Deflate(ZlibDecoder<Piece>),
    Brotli(Box<DecompressorWriter<Piece>>),
}

impl Coding {
    /// By the value of `content-encoding`; `None` for one that is not read here, `zstd` among them: its decoders in
    /// Rust give nothing out before a window is full, and a stream would come too late to be worth anything.
    pub(crate) fn of(name: Option<&str>) -> Option<Coding> {
        Some(match name.unwrap_or("identity").trim() {
            "identity" => Coding::Plain,
            "gzip" | "x-gzip" => Coding::Gzip(GzDecoder::new(Piece::default())),
            "deflate" => Coding::Deflate(ZlibDecoder::new(Piece::default())),
            "br" => Coding::Brotli(Box::new(DecompressorWriter::new(
                Piece::default(),
                BROTLI_BUFFER_BYTES,
            ))),
            _ => return None,
        })
    }

    /// Whether the body is as it was written.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self, Coding::Plain)
    }

    /// What the next bytes hold, as far as it can be known from them; those that are not coded are given as they are.
    ///
    /// # Errors
    /// Where they are not of this coding, or hold more than anybody says at once.
    pub(crate) fn decode<'b>(&mut self, bytes: &'b [u8]) -> io::Result<Cow<'b, [u8]>> {
        let piece = match self {
            Coding::Plain => return Ok(Cow::Borrowed(bytes)),
            Coding::Gzip(decoder) => {
                written(decoder, bytes)?;
                decoder.get_mut()
            }
            Coding::Deflate(decoder) => {
                written(decoder, bytes)?;
                decoder.get_mut()
            }
            Coding::Brotli(decoder) => {
                written(decoder.as_mut(), bytes)?;
                decoder.get_mut()
            }
        };
        Ok(Cow::Owned(std::mem::take(&mut piece.0)))
    }
}

/// What came out of the coding for one piece of a body, and not more than it may be.
#[derive(Default)]
pub(crate) struct Piece(Vec<u8>);

impl Write for Piece {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > PIECE_BYTES_MAX {
            return Err(io::Error::other("too much comes out of the coding at once"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn written(decoder: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    decoder.write_all(bytes)?;
    decoder.flush()
}

/// Bytes that one piece of a body may hold: a thousand times what is read of a connection at once, so that a few
/// kilobytes cannot fill the memory.
const PIECE_BYTES_MAX: usize = 16 << 20;
/// Bytes that brotli gives out at once.
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
            String::from_utf8(bytes.into_owned()).expect("the text is UTF-8")
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
    fn a_few_bytes_that_hold_very_many_are_not_read() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        let zeros = vec![0; PIECE_BYTES_MAX + 1];
        gzip.write_all(&zeros).expect("memory takes everything");
        let bomb = gzip.finish().expect("memory takes everything");
        assert!(bomb.len() < PIECE_BYTES_MAX / 100);
        let mut coding = Coding::of(Some("gzip")).expect("the coding is known");
        assert!(coding.decode(&bomb).is_err());
    }

    #[test]
    fn what_is_not_coded_is_not_copied() {
        let mut plain = Coding::of(None).expect("the coding is known");
        let passed = plain.decode(b"data").expect("anything is plain");
        assert!(matches!(passed, Cow::Borrowed(b"data")));
    }

    #[test]
    fn other_codings_are_not_read() {
        assert!(Coding::of(Some("zstd")).is_none());
        assert!(Coding::of(Some("gzip, br")).is_none());
        let mut gzip = Coding::of(Some("gzip")).expect("the coding is known");
        assert!(gzip.decode(b"event: ping").is_err());
    }
}
