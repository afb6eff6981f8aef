//! What the CLI logs of its requests to the API: a line each, with the answer's status and headers and nothing of what was
//! asked. It is the only place where it tells how long a provider wants to be left alone. `[pure]`

use std::time::Duration;

/// What is to be logged: these lines and no others.
pub(super) const FILTER: &str = "codex_http_client::client=debug";

/// A request that was refused because there were too many, or too much was to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused {
    /// As the answer's headers tell it.
    pub(super) wait: Option<Duration>,
}

/// Reads a line; `None` where it tells of anything else.
pub(super) fn read(line: &[u8]) -> Option<Refused> {
    let line = plain(line);
    let (_, told) = line.split_once("Request completed ")?;
    let (_, told) = told.split_once("status=")?;
    let status = told.get(..3)?;
    if !STATUSES.contains(&status) {
        return None;
    }
    let header = |name: &str| {
        let (_, rest) = told.split_once(&format!("\"{name}\": \""))?;
        rest.split('"').next()?.parse::<u64>().ok()
    };
    let wait = header("retry-after-ms").map(Duration::from_millis);
    Some(Refused {
        wait: wait.or_else(|| header("retry-after").map(Duration::from_secs)),
    })
}

/// The line without the colours that it may be written in.
fn plain(line: &[u8]) -> String {
    let line = String::from_utf8_lossy(line);
    let mut pieces = line.split('\u{1b}');
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        plain.push_str(piece.split_once('m').map_or("", |(_, rest)| rest));
    }
    plain
}

/// Too many requests, and the two that say that there is too much to do.
const STATUSES: [&str; 3] = ["429", "503", "529"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_of_a_refused_request_is_found_in_colours_and_without() {
        let line = "DEBUG codex_http_client::client: Request completed method=POST url=http://h/v1/responses \
                    status=429 Too Many Requests headers={\"server\": \"x\", \"retry-after\": \"7\"} version=HTTP/1.1";
        let wait = |line: &str| read(line.as_bytes()).map(|refused| refused.wait);
        let seven = Some(Some(Duration::from_secs(7)));
        assert_eq!(wait(line), seven);
        let coloured = line.replace("status=", "\u{1b}[3mstatus\u{1b}[0m\u{1b}[2m=\u{1b}[0m");
        assert_eq!(wait(&coloured), seven);
        let exact = line.replace("retry-after\": \"7", "retry-after-ms\": \"350");
        assert_eq!(wait(&exact), Some(Some(Duration::from_millis(350))));
        assert_eq!(wait(&line.replace("\"7\"", "\"soon\"")), Some(None));
        assert_eq!(wait(&line.replace("429", "200")), None);
        assert_eq!(wait("something else"), None);
    }
}
