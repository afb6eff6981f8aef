//! Where a collector takes traces. `[pure]`

use hyper::Uri;
use std::str::FromStr;

/// The address of a collector that speaks OTLP over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Invariant: `http` or `https`, with a host, and without a user or a password.
    traces: Uri,
}

impl Endpoint {
    /// Reads a collector's base address, as the standard means it: `/v1/traces` is below it.
    pub(crate) fn parse(text: &str) -> Result<Endpoint, String> {
        let wrong =
            || format!("\"{text}\" is no address of a collector; write one such as \"{EXAMPLE}\"");
        let base = Uri::from_str(text).map_err(|_| wrong())?;
        let is_http = matches!(base.scheme_str(), Some("http" | "https"));
        let authority = base.authority().filter(|_| is_http).ok_or_else(wrong)?;
        if authority.as_str().contains('@') {
            let told = "a password does not belong into this address; put what the collector asks for into \
                        OTEL_EXPORTER_OTLP_HEADERS";
            return Err(told.to_owned());
        }
        if base.query().is_some() {
            return Err(wrong());
        }
        let traces = format!("{}/v1/traces", text.trim_end_matches('/'));
        let traces = Uri::from_str(&traces).map_err(|_| wrong())?;
        Ok(Endpoint { traces })
    }

    pub(super) fn traces(&self) -> String {
        self.traces.to_string()
    }
}

const EXAMPLE: &str = "http://127.0.0.1:4318";

#[cfg(test)]
mod tests {
    use super::Endpoint;

    #[test]
    fn traces_go_below_the_base() {
        for (base, traces) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/traces"),
            (
                "https://otel.example/a/b",
                "https://otel.example/a/b/v1/traces",
            ),
        ] {
            let endpoint = Endpoint::parse(base).map(|endpoint| endpoint.traces());
            assert_eq!(endpoint.as_deref(), Ok(traces));
        }
    }

    #[test]
    fn what_is_no_address_or_holds_a_secret_is_refused() {
        for wrong in [
            "",
            "localhost:4318",
            "grpc://127.0.0.1:4317",
            "/v1/traces",
            "http://h/?x=1",
        ] {
            let told = Endpoint::parse(wrong);
            assert!(
                told.is_err_and(|why| why.contains("127.0.0.1:4318")),
                "{wrong}"
            );
        }
        let told = Endpoint::parse("https://user:secret@otel.example");
        assert!(told.is_err_and(|why| !why.contains("secret") && why.contains("HEADERS")));
    }
}
