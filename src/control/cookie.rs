//! The session's cookie, and what keeps a browser from keeping it. `[pure]`

use hyper::HeaderMap;

/// The value of our cookie, where the request has one.
pub(super) fn read(headers: &HeaderMap) -> Option<String> {
    let lines = headers.get_all("cookie").iter();
    let pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'));
    let mut ours = pairs.filter_map(|pair| pair.trim().strip_prefix(NAME)?.strip_prefix('='));
    ours.next().map(str::to_owned)
}

/// What sets it.
pub(super) fn set(token: &str, is_secure: bool) -> String {
    let secure = if is_secure { "; Secure" } else { "" };
    format!("{NAME}={token}; Path=/; HttpOnly; SameSite=Strict{secure}")
}

/// What takes it away.
pub(super) fn clear(is_secure: bool) -> String {
    format!("{}; Max-Age=0", set("", is_secure))
}

/// Why this browser would drop the cookie that a login sets; `None`: it would not.
pub(super) fn dropped(is_marked: bool, is_secure: bool) -> Option<&'static str> {
    (is_marked && !is_secure).then_some(DROPPED)
}

const NAME: &str = "relay_session";
const DROPPED: &str = "This page came over plain HTTP, and the session cookie is marked Secure, so your browser will drop it and \
    the login will not last. Come over HTTPS, or start the relay with RELAY_COOKIE_SECURE=false (or auto).";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_found_among_others_and_is_set_strictly() {
        let mut headers = HeaderMap::new();
        headers.append(
            "cookie",
            "a=1; relay_session_x=2".parse().expect("a header"),
        );
        assert_eq!(read(&headers), None);
        headers.append(
            "cookie",
            "b=2; relay_session=tok".parse().expect("a header"),
        );
        assert_eq!(read(&headers).as_deref(), Some("tok"));
        assert_eq!(
            set("t", true),
            "relay_session=t; Path=/; HttpOnly; SameSite=Strict; Secure"
        );
        assert!(!set("t", false).contains("Secure"));
        assert!(dropped(true, false).is_some() && dropped(true, true).is_none());
    }
}
