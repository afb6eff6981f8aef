//! The process's limit of open files: raised at the start, and told where it is reached.

use std::error::Error;
use std::io;

/// Raises the soft limit of open files as far as the system lets it, and gives how many files the process may have.
///
/// Programs that it starts inherit the limit; a claude raises it by itself anyway.
pub(crate) fn raise_file_limit() -> usize {
    let limit = raised();
    tracing::debug!(limit, "open files");
    limit
}

#[cfg(unix)]
fn raised() -> usize {
    use rustix::process::Resource;
    use rustix::process::Rlimit;
    use rustix::process::getrlimit;
    use rustix::process::setrlimit;
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(FILES_WANTED).min(FILES_WANTED);
    let wanted = Rlimit {
        current: Some(most),
        ..limit
    };
    if limit.current.is_some_and(|current| current < most)
        && let Err(error) = setrlimit(Resource::Nofile, wanted)
    {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
    let current = getrlimit(Resource::Nofile).current.unwrap_or(FILES_WANTED);
    usize::try_from(current).unwrap_or(usize::MAX)
}

/// There is no such limit.
#[cfg(not(unix))]
fn raised() -> usize {
    usize::try_from(FILES_WANTED).unwrap_or(usize::MAX)
}

/// As many as macOS gives a process at most (`OPEN_MAX`), and more than hundreds of sessions need.
const FILES_WANTED: u64 = 10_240;

/// Whether the process or the system has no more descriptors. Terminals tell their failure in words only, so these
/// are looked at as well.
pub(crate) fn is_out_of_files(error: &io::Error) -> bool {
    if let Some(code) = error.raw_os_error() {
        return OUT_OF_FILES.contains(&code);
    }
    let Some(inner) = error.get_ref() else {
        return false;
    };
    let mut cause: Option<&(dyn Error + 'static)> = Some(inner);
    while let Some(error) = cause {
        let words = error.to_string();
        if WORDS.iter().any(|mark| words.contains(mark)) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// `EMFILE` and `ENFILE`, the same on Linux, macOS and the BSDs; and what Windows says for them.
const OUT_OF_FILES: &[i32] = if cfg!(windows) {
    &[4, 10_024]
} else {
    &[24, 23]
};
/// How [`io::Error`] writes them, for people and for programmers.
const WORDS: &[&str] = &["os error 24)", "os error 23)", "code: 24,", "code: 23,"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_without_files_is_known_however_it_is_told() {
        let plain = || io::Error::from_raw_os_error(OUT_OF_FILES[0]);
        let told = [
            plain(),
            io::Error::other(plain()),
            io::Error::other(format!("failed to openpty: {:?}", plain())),
        ];
        for error in told {
            assert!(is_out_of_files(&error), "{error:?}");
        }
        let others = [
            io::Error::from_raw_os_error(2),
            io::ErrorKind::NotFound.into(),
            io::Error::other("the process has no id"),
        ];
        for error in others {
            assert!(!is_out_of_files(&error), "{error:?}");
        }
    }

    #[test]
    fn a_limit_that_was_raised_stays() {
        let limit = raise_file_limit();
        assert_eq!(raise_file_limit(), limit);
        assert!(limit > 0);
    }
}
