//! Where limits and breakers are: in this process, or in a server that relays share. `[pure]`

use std::fmt;

/// Where the state is that relays may share.
#[derive(Clone, Default)]
pub(crate) enum StatePlace {
    /// In this process alone.
    #[default]
    Memory,
    /// A server's address, with its user and password.
    Valkey(Box<redis::Client>),
}

impl StatePlace {
    /// Reads the text of a configuration: `memory:`, or `redis://USER:PASSWORD@HOST:PORT/NUMBER`.
    ///
    /// # Errors
    /// Says what it may be, and nothing of a password.
    pub(crate) fn parse(text: &str) -> Result<StatePlace, String> {
        if text == "memory:" || text == "memory" {
            return Ok(StatePlace::Memory);
        }
        if text.starts_with("rediss://") || text.starts_with("valkeys://") {
            return Err(
                "TLS to a Valkey is not offered; reach it over loopback, a private network or a tunnel, by redis://"
                    .to_owned(),
            );
        }
        let known = ["redis://", "valkey://", "redis+unix://", "valkey+unix://"];
        if !known.iter().any(|scheme| text.starts_with(scheme)) {
            return Err("this takes memory: or redis://USER:PASSWORD@HOST:6379/0".to_owned());
        }
        // What the library says of it could have the password in it.
        let client = redis::Client::open(third_protocol(text));
        let client = client.map_err(|_| {
            "this is no address of a Valkey; it is redis://USER:PASSWORD@HOST:6379/0".to_owned()
        })?;
        Ok(StatePlace::Valkey(Box::new(client)))
    }
}

/// The protocol in which one connection carries answers and news.
fn third_protocol(text: &str) -> String {
    let joint = if text.contains('?') { '&' } else { '?' };
    format!("{text}{joint}protocol=resp3")
}

impl fmt::Display for StatePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StatePlace::Memory => f.write_str("memory:"),
            StatePlace::Valkey(client) => {
                write!(f, "redis://{}", client.get_connection_info().addr())
            }
        }
    }
}

impl fmt::Debug for StatePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StatePlace({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_without_its_password() {
        let place = StatePlace::parse("redis://relay:hunter2@10.0.0.7:6380/1").expect("it is one");
        assert_eq!(place.to_string(), "redis://10.0.0.7:6380");
        assert_eq!(format!("{place:?}"), "StatePlace(redis://10.0.0.7:6380)");
        assert!(matches!(
            StatePlace::parse("memory:"),
            Ok(StatePlace::Memory)
        ));
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_repeated() {
        for wrong in [
            "http://a:hunter2@b",
            "redis://:hunter2@:x",
            "rediss://:hunter2@a",
            "",
        ] {
            let said = StatePlace::parse(wrong).expect_err(wrong);
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}
