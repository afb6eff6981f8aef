//! A file of somebody's configuration, read so that nothing that stands in its place holds up the runtime.

use std::fs::OpenOptions;
use std::io;
use std::io::Read;
use std::path::Path;

/// The bytes of a regular file, through links. A pipe, a socket or a device is not read, and not waited for.
///
/// # Errors
/// Where it cannot be read, is no regular file, or has more bytes than `bytes_max`.
pub(crate) fn read_small_file(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut options = OpenOptions::new();
    options.read(true);
    // Otherwise the opening itself waits for a pipe's other end.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        &mut options,
        i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default(),
    );
    let file = options.open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    // What a file says of its length is no bound: it may grow.
    file.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        let told = format!("it has more than {bytes_max} bytes");
        return Err(io::Error::other(told));
    }
    Ok(bytes)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use rustix::fs::CWD;
    use rustix::fs::FileType;
    use rustix::fs::Mode;
    use rustix::fs::mknodat;
    use std::fs;

    #[test]
    fn a_pipe_a_device_and_a_folder_are_refused_at_once_and_a_file_has_a_bound() {
        let folder = tempfile::tempdir().expect("a temporary folder must be made");
        let pipe = folder.path().join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("it is made");
        let told = |path: &Path| {
            let read = read_small_file(path, 8);
            read.map_err(|error| error.to_string())
        };
        for path in [&pipe, Path::new("/dev/zero"), folder.path()] {
            let refused = told(path).expect_err("it is refused");
            assert!(refused.contains("no regular file"), "{refused}");
        }
        let file = folder.path().join("file");
        fs::write(&file, "12345678").expect("it is written");
        assert_eq!(told(&file), Ok(b"12345678".to_vec()));
        fs::write(&file, "123456789").expect("it is written");
        assert!(told(&file).is_err_and(|why| why.contains("more than 8 bytes")));
    }
}
