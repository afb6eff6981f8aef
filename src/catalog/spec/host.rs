//! An HTTP endpoint: where it is, how it is reached, how long it may take. `[pure]`

use super::super::address::HostUrl;
use super::super::address::Network;
use super::super::address::judge_proxy;
use super::super::fields::Fields;
use super::super::node::Entry;
use super::writer::Writer;
use super::writer::unless;
use hyper::header::HeaderName;
use hyper::header::HeaderValue;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HostSpec {
    pub(crate) url: HostUrl,
    pub(crate) network: Network,
    pub(crate) auth: HostAuth,
    /// Added to every request. Never a credential: that is a HostKey's.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) timeouts: Timeouts,
    pub(crate) tls: Tls,
    pub(crate) proxy: ProxyChoice,
    pub(crate) http: HttpVersion,
    pub(crate) choose: KeyChoice,
}

/// How a host key is shown to the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HostAuth {
    /// As the adapter's own API has it: `x-api-key` for anthropic, `Authorization: Bearer` for the others.
    Adapter,
    Bearer,
    ApiKey,
    /// Nothing is shown, and no host key is needed.
    None,
}

/// Four waits, each for something else. Past one, the try ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timeouts {
    /// To a connection with TLS.
    pub(crate) connect: Duration,
    /// From the request's end to the first meaningful event.
    pub(crate) first_event: Duration,
    /// Between two pieces of an answer.
    pub(crate) idle: Duration,
    /// Of a whole answer that is not streamed. A live stream has no such limit.
    pub(crate) total: Duration,
}

/// Certificates beside the machine's own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Tls {
    /// A file of PEM certificates to trust, in place of the machine's.
    pub(crate) ca: Option<PathBuf>,
    /// The relay's own certificate, and its key, for hosts that ask for one.
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ProxyChoice {
    /// As `HTTPS_PROXY` and `NO_PROXY` say.
    Environment,
    None,
    Url(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HttpVersion {
    /// As the host offers.
    Offered,
    One,
    Two,
}

/// Which key of a pool is taken among those of one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyChoice {
    /// The first that is healthy.
    Order,
    /// By chance, in the proportion of the weights.
    Weight,
    /// The one with the fewest calls under way.
    LeastInFlight,
}

impl HostSpec {
    pub(super) fn read(fields: &Fields<'_>) -> Option<HostSpec> {
        let network = fields.choice("network", NETWORKS);
        let network = network.unwrap_or(Network::Public);
        fields.must("url");
        let url = fields.parsed("url", |text| HostUrl::parse(text, network));
        let headers = fields.map("headers").unwrap_or_default();
        for name in headers.keys().filter(|name| is_credential(name)) {
            fields.complain(
                "headers",
                format!("\"{name}\" carries a credential; put it into a HostKey"),
            );
        }
        for name in headers.keys().filter(|name| is_of_connection(name)) {
            fields.complain(
                "headers",
                format!("\"{name}\" is written by the relay itself; leave it out"),
            );
        }
        for (name, value) in &headers {
            if name.parse::<HeaderName>().is_err() || HeaderValue::from_str(value).is_err() {
                fields.complain(
                    "headers",
                    format!("{name:?} with this value fits into no header; write both in one line of plain ASCII"),
                );
            }
        }
        let auth = fields.choice("auth", AUTHS);
        let (timeouts, tls) = (Timeouts::read(fields), Tls::read(fields));
        let proxy = fields.parsed("proxy", |text| proxy(text, network));
        let http = fields.choice("http", VERSIONS);
        let choose = fields.choice("choose", CHOICES);
        // Last: a field that nobody reads is taken for one that there is not.
        Some(HostSpec {
            url: url?,
            network,
            auth: auth.unwrap_or(HostAuth::Adapter),
            headers,
            timeouts,
            tls,
            proxy: proxy.unwrap_or(ProxyChoice::Environment),
            http: http.unwrap_or(HttpVersion::Offered),
            choose: choose.unwrap_or(KeyChoice::Order),
        })
    }

    pub(super) fn write(&self) -> Vec<Entry> {
        let proxy = match &self.proxy {
            ProxyChoice::Environment => None,
            ProxyChoice::None => Some("none"),
            ProxyChoice::Url(url) => Some(url.as_str()),
        };
        Writer::default()
            .text("url", self.url.as_str())
            .text_if(
                "network",
                word(NETWORKS, unless(self.network, Network::Public)),
            )
            .text_if("auth", word(AUTHS, unless(self.auth, HostAuth::Adapter)))
            .map_unless_empty("headers", &self.headers)
            .inner_unless_empty("timeouts", self.timeouts.write())
            .inner_unless_empty("tls", self.tls.write())
            .text_if("proxy", proxy)
            .text_if(
                "http",
                word(VERSIONS, unless(self.http, HttpVersion::Offered)),
            )
            .text_if(
                "choose",
                word(CHOICES, unless(self.choose, KeyChoice::Order)),
            )
            .end()
    }
}

impl Timeouts {
    fn read(fields: &Fields<'_>) -> Timeouts {
        let Some(inner) = fields.inner("timeouts") else {
            return Timeouts::DEFAULT;
        };
        let read = |name, default| inner.parsed(name, duration).unwrap_or(default);
        let timeouts = Timeouts {
            connect: read("connect", Timeouts::DEFAULT.connect),
            first_event: read("firstEvent", Timeouts::DEFAULT.first_event),
            idle: read("idle", Timeouts::DEFAULT.idle),
            total: read("total", Timeouts::DEFAULT.total),
        };
        inner.end();
        timeouts
    }

    fn write(&self) -> Writer {
        let text = |value, default| unless(value, default).map(humantime::format_duration);
        Writer::default()
            .text_if("connect", text(self.connect, Timeouts::DEFAULT.connect))
            .text_if(
                "firstEvent",
                text(self.first_event, Timeouts::DEFAULT.first_event),
            )
            .text_if("idle", text(self.idle, Timeouts::DEFAULT.idle))
            .text_if("total", text(self.total, Timeouts::DEFAULT.total))
    }

    /// A host that is up connects within milliseconds; a model may think for minutes before its first word, and a
    /// provider sends pings in between.
    pub(crate) const DEFAULT: Timeouts = Timeouts {
        connect: Duration::from_secs(10),
        first_event: Duration::from_secs(120),
        idle: Duration::from_secs(120),
        total: Duration::from_secs(600),
    };
}

impl Tls {
    fn read(fields: &Fields<'_>) -> Tls {
        let Some(inner) = fields.inner("tls") else {
            return Tls::default();
        };
        let path = |name| inner.text(name).map(PathBuf::from);
        let tls = Tls {
            ca: path("ca"),
            certificate: path("certificate"),
            key: path("key"),
        };
        if tls.certificate.is_some() != tls.key.is_some() {
            inner.complain("certificate", "a certificate and its key go together");
        }
        inner.end();
        tls
    }

    fn write(&self) -> Writer {
        let text = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        Writer::default()
            .text_if("ca", text(&self.ca))
            .text_if("certificate", text(&self.certificate))
            .text_if("key", text(&self.key))
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let read = humantime::parse_duration(text).ok();
    let fits = read.filter(|wait| *wait >= WAIT_MIN && *wait <= WAIT_MAX);
    fits.ok_or_else(|| {
        format!("\"{text}\" is not a wait from 1ms to 1day; write such as 10s or 2m")
    })
}

fn proxy(text: &str, network: Network) -> Result<ProxyChoice, String> {
    match text {
        "none" => Ok(ProxyChoice::None),
        "environment" => Ok(ProxyChoice::Environment),
        _ => judge_proxy(text, network).map(|()| ProxyChoice::Url(text.to_owned())),
    }
}

fn is_credential(header: &str) -> bool {
    let header = header.to_ascii_lowercase();
    [
        "authorization",
        "proxy-authorization",
        "x-api-key",
        "api-key",
        "cookie",
    ]
    .contains(&header.as_str())
}

/// Where a request goes, and how its body is framed, is not for a row to say beside its `url`.
fn is_of_connection(header: &str) -> bool {
    let header = header.to_ascii_lowercase();
    ["host", "content-length", "transfer-encoding", "connection"].contains(&header.as_str())
}

/// The word of a meaning.
fn word<T: PartialEq + Copy>(
    words: &[(&'static str, T)],
    meaning: Option<T>,
) -> Option<&'static str> {
    let found = words.iter().find(|(_, known)| Some(*known) == meaning);
    found.map(|(word, _)| *word)
}

const NETWORKS: &[(&str, Network)] = &[("public", Network::Public), ("private", Network::Private)];
const AUTHS: &[(&str, HostAuth)] = &[
    ("adapter", HostAuth::Adapter),
    ("bearer", HostAuth::Bearer),
    ("x-api-key", HostAuth::ApiKey),
    ("none", HostAuth::None),
];
const VERSIONS: &[(&str, HttpVersion)] = &[
    ("auto", HttpVersion::Offered),
    ("1", HttpVersion::One),
    ("2", HttpVersion::Two),
];
const CHOICES: &[(&str, KeyChoice)] = &[
    ("order", KeyChoice::Order),
    ("weight", KeyChoice::Weight),
    ("leastInFlight", KeyChoice::LeastInFlight),
];
/// A wait below this ends every try before it can go well.
const WAIT_MIN: Duration = Duration::from_millis(1);
/// No answer is waited for longer.
const WAIT_MAX: Duration = Duration::from_secs(24 * 60 * 60);
