//! Variables of an older relay, whose users find their way here: honoured where they have a meaning, and else named with
//! what takes their place. `[pure]`

/// The switch that asked for a token; it says the same as `auth.required`.
pub(super) const REQUIRE_VAR: &str = "AIRELAYS_REQUIRE_BEARER_AUTH";
/// What all of them begin with.
pub(super) const PREFIX: &str = "AIRELAYS_";

/// What `auth.required` is to be by the word of [`REQUIRE_VAR`]; `None` for a word that is none.
pub(super) fn required(word: &str) -> Option<&'static str> {
    match word.trim().to_ascii_lowercase().as_str() {
        "0" | "false" | "no" | "off" => Some("never"),
        "1" | "true" | "yes" | "on" => Some("always"),
        _ => None,
    }
}

/// What to say of a variable of this name that is set; nothing where it is honoured.
pub(super) fn warning(name: &str) -> Option<String> {
    if name == REQUIRE_VAR {
        return None;
    }
    let instead = REPLACED.iter().find(|(older, _)| name == *older);
    let instead = instead.map_or(
        "`inference-relay config default` lists what can be set",
        |(_, instead)| instead,
    );
    Some(format!("{name} is not read: {instead}"))
}

/// Each with what takes its place.
const REPLACED: &[(&str, &str)] = &[
    (
        "AIRELAYS_BEARER_TOKEN",
        "keys have a form of their own here; `inference-relay token rotate` makes one",
    ),
    (
        "AIRELAYS_BEARER_TOKEN_FILE",
        "keys are in the state folder; `inference-relay token rotate` makes one",
    ),
    ("AIRELAYS_HOST", "set `server.host` in relay.toml"),
    (
        "AIRELAYS_PORT",
        "set SR_DAEMON_PORT, or `server.port` in relay.toml",
    ),
    ("AIRELAYS_DATA_DIR", "set INFERENCE_RELAY_HOME"),
    (
        "AIRELAYS_MAX_UPLOAD_BYTES",
        "set `files.bytes_max` in relay.toml",
    ),
    (
        "AIRELAYS_MAX_TOTAL_UPLOAD_BYTES",
        "set `files.total_bytes_max` in relay.toml",
    ),
    (
        "AIRELAYS_RATE_LIMIT_PER_MINUTE",
        "set `auth.address_calls_per_minute` in relay.toml",
    ),
    (
        "AIRELAYS_RATE_LIMIT_BURST",
        "set `auth.address_burst` in relay.toml",
    ),
    (
        "AIRELAYS_CONCURRENT_REQUESTS_PER_IP",
        "set `auth.address_concurrent_max` in relay.toml",
    ),
    (
        "AIRELAYS_FAILED_AUTH_MAX_ATTEMPTS",
        "set `auth.bad_keys_max` in relay.toml",
    ),
    (
        "AIRELAYS_FAILED_AUTH_WINDOW_SECONDS",
        "set `auth.bad_keys_window` in relay.toml",
    ),
    (
        "AIRELAYS_FAILED_AUTH_BLOCK_SECONDS",
        "set `auth.block_time` in relay.toml",
    ),
    (
        "AIRELAYS_TRUST_X_FORWARDED_FOR",
        "set `server.trusted_proxies` in relay.toml",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DEFAULT_TOML;

    #[test]
    fn the_switch_is_read_and_the_others_are_named_with_what_takes_their_place() {
        assert_eq!(
            (required("false"), required("TRUE"), required("maybe")),
            (Some("never"), Some("always"), None)
        );
        assert_eq!(warning(REQUIRE_VAR), None);
        let told = warning("AIRELAYS_BEARER_TOKEN").expect("it is not read");
        assert!(
            told.starts_with("AIRELAYS_BEARER_TOKEN is not read: ")
                && told.contains("token rotate")
        );
        assert!(
            warning("AIRELAYS_NEW")
                .expect("it is not read")
                .contains("config default")
        );
    }

    #[test]
    fn what_takes_their_place_is_there() {
        for (name, instead) in REPLACED {
            let key = instead.split('`').nth(1).filter(|key| key.contains('.'));
            let Some((_, key)) = key.and_then(|key| key.split_once('.')) else {
                continue;
            };
            assert!(
                DEFAULT_TOML.contains(&format!("\n{key} =")),
                "{name}: {key}"
            );
        }
    }
}
