//! Words of the configuration of which only some mean anything. `[pure]`

use crate::auth::Required;
use crate::session::Mode;
use core::net::IpAddr; // `core` knows addresses and no sockets, so this stays pure
use core::net::Ipv4Addr;

/// Where to listen.
pub(super) fn host(text: &str) -> Result<IpAddr, String> {
    match text {
        "localhost" => Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        address => address.parse().map_err(|_| {
            format!(
                "\"{address}\" is not an address; write \"127.0.0.1\", \"::1\" or \"localhost\""
            )
        }),
    }
}

/// A port, or `off`.
pub(super) fn control_port(text: &str) -> Result<Option<u16>, String> {
    match text.trim() {
        "off" => Ok(None),
        port => port.parse().map(Some).map_err(|_| {
            format!("\"{port}\" is not a port; write a number from 0 to 65535, or \"off\"")
        }),
    }
}

/// A switch that may decide by itself.
pub(super) fn by_itself(text: &str) -> Result<Option<bool>, String> {
    match text.trim() {
        "auto" => Ok(None),
        "true" | "1" | "yes" | "on" => Ok(Some(true)),
        "false" | "0" | "no" | "off" => Ok(Some(false)),
        other => Err(format!(
            "\"{other}\" is none of \"auto\", \"true\" and \"false\""
        )),
    }
}

/// Whether callers need a key.
pub(super) fn required(text: &str) -> Result<Required, String> {
    match text {
        "auto" => Ok(Required::OnceThereIsAKey),
        "always" => Ok(Required::Always),
        "never" => Ok(Required::Never),
        other => Err(format!(
            "\"{other}\" is none of \"auto\", \"always\" and \"never\""
        )),
    }
}

/// How claude is driven.
pub(super) fn driver(text: &str) -> Result<Mode, String> {
    Mode::of_name(text)
        .ok_or_else(|| format!("\"{text}\" is not a driver; use \"pty\" or \"print\""))
}

/// The interactive session is what another driver would fall back from, so it is none itself.
pub(super) fn fallback(text: &str) -> Result<Option<Mode>, String> {
    match text {
        "none" => Ok(None),
        "print" => Ok(Some(Mode::Print)),
        other => Err(format!(
            "\"{other}\" is not a fallback; use \"none\" or \"print\""
        )),
    }
}
