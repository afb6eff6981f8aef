//! Hands the spans of calls to OpenTelemetry's queue, and empties it at the end.

use super::Endpoint;
use super::TelemetryConfig;
use super::sender::Sender;
use super::span;
use super::span::CallSpan;
use crate::calls::CallRecord;
use hyper::HeaderMap;
use opentelemetry::Context;
use opentelemetry::KeyValue;
use opentelemetry::propagation::Extractor;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::SpanKind;
use opentelemetry::trace::Status;
use opentelemetry::trace::TraceContextExt;
use opentelemetry::trace::Tracer;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::Protocol;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_otlp::WithHttpConfig;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::BatchConfigBuilder;
use opentelemetry_sdk::trace::BatchSpanProcessor;
use opentelemetry_sdk::trace::SdkTracer;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

/// Spans that wait for the collector, of 1 kB or so each; five are a call. Past it spans are lost, and no call waits.
const QUEUE_MAX: usize = 2048;
/// Spans in one request.
const BATCH_MAX: usize = 512;
/// How long a span waits for others to go with it.
const SEND_EVERY: Duration = Duration::from_secs(2);
/// How long one batch is tried for, with what the library tries again.
const TRY_FOR: Duration = Duration::from_secs(10);
/// How long the daemon's end waits for the collector.
const FLUSH_WAIT: Duration = Duration::from_secs(2);

/// Tells a collector of calls; cheap to clone.
#[derive(Clone)]
pub(crate) struct Telemetry {
    open: Option<Arc<Open>>,
}

struct Open {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

/// The span of a caller's program that a call belongs to, if it named one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origin(Context);

impl Telemetry {
    /// Opens the queue, for the runtime that this is called in. Where that fails, nothing is told, and the log says why.
    pub(crate) fn open(config: &TelemetryConfig) -> Telemetry {
        let Some(endpoint) = &config.otlp else {
            return Telemetry::off();
        };
        match provider(endpoint) {
            Ok(provider) => {
                let tracer = provider.tracer("inference-relay");
                let open = Some(Arc::new(Open { provider, tracer }));
                Telemetry { open }
            }
            Err(problem) => {
                tracing::warn!(
                    problem,
                    "no traces are told; mend telemetry.otlp, or the OTEL_… variables"
                );
                Telemetry::off()
            }
        }
    }

    /// One that tells nobody.
    pub(crate) fn off() -> Telemetry {
        Telemetry { open: None }
    }

    /// Where a call comes from, by its `traceparent`.
    pub(crate) fn origin(&self, headers: &HeaderMap) -> Origin {
        match self.open {
            Some(_) => Origin(
                TraceContextPropagator::new()
                    .extract_with_context(&Context::new(), &TraceParent(headers)),
            ),
            None => Origin::default(),
        }
    }

    /// Tells of a call that ended then. It returns at once.
    pub(crate) fn tell(&self, entry: &CallRecord, origin: &Origin, ended: fn() -> SystemTime) {
        if let Some(open) = &self.open {
            open.tell(span::told(entry, ended()), origin);
        }
    }

    /// Waits until everything is told, for a moment at the most. It blocks, and nothing is told after it.
    pub(crate) fn flush(&self) {
        if let Some(open) = &self.open
            && let Err(error) = open.provider.shutdown_with_timeout(FLUSH_WAIT)
        {
            tracing::debug!(%error, "the last traces were not told");
        }
    }
}

impl Open {
    fn tell(&self, told: CallSpan, origin: &Origin) {
        let call = self.tracer.span_builder(told.name);
        let call = call
            .with_kind(SpanKind::Server)
            .with_start_time(told.began)
            .with_attributes(told.attributes)
            .start_with_context(&self.tracer, &origin.0);
        let call = Context::new().with_span(call);
        for phase in told.phases {
            let span = self.tracer.span_builder(phase.name);
            let span = span.with_start_time(phase.began);
            let mut span = span.start_with_context(&self.tracer, &call);
            opentelemetry::trace::Span::end_with_timestamp(&mut span, phase.ended);
        }
        if let Some(code) = told.failure {
            call.span().set_status(Status::error(code));
        }
        call.span().end_with_timestamp(told.ended);
    }
}

fn provider(endpoint: &Endpoint) -> Result<SdkTracerProvider, String> {
    let queue = BatchConfigBuilder::default()
        .with_max_queue_size(QUEUE_MAX)
        .with_max_export_batch_size(BATCH_MAX)
        .with_scheduled_delay(SEND_EVERY)
        .build();
    let processor = BatchSpanProcessor::builder(exporter(endpoint)?).with_batch_config(queue);
    Ok(SdkTracerProvider::builder()
        .with_span_processor(processor.build())
        .with_resource(resource())
        .build())
}

fn exporter(endpoint: &Endpoint) -> Result<SpanExporter, String> {
    let builder = SpanExporter::builder()
        .with_http()
        .with_endpoint(endpoint.traces())
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(TRY_FOR)
        .with_http_client(Sender::to(endpoint)?);
    builder.build().map_err(|error| error.to_string())
}

/// Who tells: this program, unless the standard's variables give it another name.
fn resource() -> Resource {
    const NAME: &str = "service.name";
    let named = Resource::builder().build();
    let name = named
        .get(&NAME.into())
        .map(|name| name.as_str().into_owned());
    let builder = Resource::builder()
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    match name {
        Some(name) if !name.starts_with("unknown_service") => builder.build(),
        Some(_) | None => builder.with_service_name("inference-relay").build(),
    }
}

/// The one header that is looked at: what else the standard would carry on is a caller's text.
struct TraceParent<'a>(&'a HeaderMap);

impl Extractor for TraceParent<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        let value = self.0.get(HEADER).filter(|_| key == HEADER)?;
        value.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        vec![HEADER]
    }
}

const HEADER: &str = "traceparent";
