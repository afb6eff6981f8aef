//! What is told of calls to a collector of traces, where the user names one.
//!
//! **What for.** With `telemetry.otlp`, each recorded call becomes a span of OpenTelemetry, with a span below it for
//! each phase that it reached: `queue`, `delivery`, `first_byte`, `end`. Attributes are named by the semantic
//! conventions for generative AI, and by `inference_relay.…` where those have no word. A caller's `traceparent` is the
//! span's parent, so a call stands in the trace of the program that made it.
//!
//! **Never.** No text of a prompt, of an answer or of a key comes here: a span is made of the journal's
//! [`CallRecord`](crate::calls::CallRecord), which has none. Without `telemetry.otlp` nothing is made and nothing is sent.
//!
//! **Invariants.** A call waits for nothing here: its spans go into a bounded queue, which a thread of the library
//! empties; where it is full, spans are lost and calls are not. A collector that fails is told of in the log once, and
//! once when it is well again.
//!
//! The spans, the queue and the protocol are those of OpenTelemetry's own library, which also reads the standard's
//! further variables (`OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`,
//! `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_EXPORTER_OTLP_COMPRESSION`). A writer of our own was weighed: it would be as
//! long as what is here, and know none of these. The way there is ours, because TLS is in the program once already.
//!
//! Start reading at [`span`].

mod endpoint;
mod exporter;
mod sender;
mod span;

pub(crate) use endpoint::Endpoint;
pub(crate) use exporter::Origin;
pub(crate) use exporter::Telemetry;

/// What is told, and to whom.
#[derive(Debug, Clone, Default)]
pub(crate) struct TelemetryConfig {
    /// `None`: nobody is told anything.
    pub(crate) otlp: Option<Endpoint>,
}
