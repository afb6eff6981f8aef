//! The program out of its archive. `[pure]`

use super::error::UpdateError;
use flate2::read::GzDecoder;
use std::io::Read;

/// The one program in a gzipped tar. Its place in the archive does not matter, and nothing else is looked at.
///
/// # Errors
/// Where there is no such program, or it is larger than any program of ours.
pub(crate) fn unpack(archive: &[u8]) -> Result<Vec<u8>, UpdateError> {
    within(STREAM_BYTES_MAX, archive)
}

fn within(stream_bytes_max: u64, archive: &[u8]) -> Result<Vec<u8>, UpdateError> {
    let broken = |error: std::io::Error| UpdateError::Archive(format!("cannot be read: {error}"));
    let stream = GzDecoder::new(archive).take(stream_bytes_max);
    let mut archive = tar::Archive::new(stream);
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let is_program = entry.header().entry_type().is_file()
            && entry.path().is_ok_and(|path| path.ends_with(PROGRAM));
        if is_program {
            let mut program = Vec::new();
            entry.read_to_end(&mut program).map_err(broken)?;
            let is_whole = u64::try_from(program.len()).is_ok_and(|size| size == entry.size());
            return is_whole.then_some(program).ok_or_else(|| {
                UpdateError::Archive(format!("ends within its {PROGRAM}, or is too large"))
            });
        }
    }
    Err(UpdateError::Archive(format!("holds no {PROGRAM}")))
}

const PROGRAM: &str = if cfg!(windows) {
    "inference-relay.exe"
} else {
    "inference-relay"
};
/// Many times what a release has; a bomb ends here.
const STREAM_BYTES_MAX: u64 = 512 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    fn packed(files: &[(&str, &[u8])]) -> Vec<u8> {
        let encoder = GzEncoder::new(Vec::new(), Compression::fast());
        let mut archive = tar::Builder::new(encoder);
        for (name, bytes) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(u64::try_from(bytes.len()).expect("a length is a u64"));
            header.set_mode(0o755);
            header.set_cksum();
            archive
                .append_data(&mut header, name, *bytes)
                .expect("an archive in memory takes all");
        }
        let encoder = archive.into_inner().expect("an archive must end");
        encoder.finish().expect("a stream must end")
    }

    #[test]
    fn the_program_is_found_wherever_it_lies() {
        let archive = packed(&[
            ("r-1.0/README.md", b"text"),
            (&format!("r-1.0/{PROGRAM}"), b"program"),
        ]);
        assert_eq!(unpack(&archive).ok().as_deref(), Some(&b"program"[..]));
    }

    #[test]
    fn a_small_archive_of_a_large_program_is_not_unpacked_without_end() {
        let archive = packed(&[(PROGRAM, &[0; 100_000])]);
        assert!(archive.len() < 2_000);
        assert!(within(200_000, &archive).is_ok());
        let told = within(50_000, &archive).expect_err("it must end within the program");
        assert!(told.to_string().contains("is too large"), "{told}");
    }

    #[test]
    fn an_archive_that_is_cut_off_or_empty_gives_nothing() {
        let archive = packed(&[(PROGRAM, &[7; 10_000])]);
        assert!(unpack(&archive[..archive.len() / 2]).is_err());
        assert!(unpack(&packed(&[("other", b"x")])).is_err());
        assert!(unpack(b"no gzip").is_err());
    }
}
