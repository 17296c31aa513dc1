//! Logs and traces: readable lines or JSON on standard error, spans to an OTLP collector where one is configured.

use std::{
    fmt,
    io::{self, IsTerminal},
};

use chrono::{SecondsFormat, Utc};
use opentelemetry::{KeyValue, propagation::TextMapPropagator, trace::TracerProvider};
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::{Resource, propagation::TraceContextPropagator, trace::SdkTracerProvider};
use serde::Serializer;
use serde_json::{Map, Value};
use tracing::{
    Event, Span, Subscriber,
    field::{Field, Visit},
};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    fmt::{
        FmtContext, FormatEvent, FormattedFields,
        format::{JsonFields, Writer},
    },
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

use crate::config::{Config, LogFormat};

/// Spans that a trace shows beside ours: fields of a query and statements. The exporter's own HTTP client stays out.
const TRACE_FILTER: &str = "info,hyper=off,hyper_util=off,reqwest=off,h2=off,opentelemetry=off";
/// Members of a JSON line; what else an event or its spans say goes under `metadata`.
const MEMBERS: [&str; 8] =
    ["message", "action", "request_id", "job_id", "user_id", "design_id", "run_id", "duration_ms"];

/// Flushes the spans that were not sent yet when it is dropped.
#[must_use = "spans are flushed when the guard is dropped"]
pub struct TelemetryGuard {
    provider: Option<SdkTracerProvider>,
}

impl Drop for TelemetryGuard {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.provider.take().map(|provider| provider.shutdown()) {
            eprintln!("the last spans were not exported: {error}");
        }
    }
}

/// Starts logging, and tracing when a collector is configured. `service` names the process in both.
pub fn init(service: &'static str, config: &Config) -> TelemetryGuard {
    let (provider, failure) = match config.otlp_endpoint.as_deref().map(|url| tracer_provider(service, url)) {
        Some(Ok(provider)) => (Some(provider), None),
        Some(Err(error)) => (None, Some(error)),
        None => (None, None),
    };
    let spans = provider.as_ref().map(|provider| {
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer(service))
            .with_location(false)
            .with_filter(EnvFilter::new(TRACE_FILTER))
    });
    let registry = Registry::default().with(lines(service, config)).with(spans);
    // Only a test starts logging twice in a process; the first stays.
    let _ = registry.try_init();
    if let Some(error) = failure {
        tracing::error!(%error, "traces are not exported");
    }
    TelemetryGuard { provider }
}

/// Makes `span` a child of the caller's span that a W3C `traceparent` header names.
pub fn continue_trace(span: &Span, traceparent: &str) {
    let carrier = std::collections::HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    // Without an exporter there is no trace to continue.
    let _ = span.set_parent(TraceContextPropagator::new().extract(&carrier));
}

fn lines<S>(service: &'static str, config: &Config) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let filter = EnvFilter::new(&config.log_filter);
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    match config.log_format {
        LogFormat::Text => {
            layer.with_ansi(io::stderr().is_terminal()).with_target(false).with_filter(filter).boxed()
        }
        LogFormat::Json => layer
            .with_ansi(false)
            .fmt_fields(JsonFields::new())
            .event_format(JsonLine { service })
            .with_filter(filter)
            .boxed(),
    }
}

fn tracer_provider(service: &'static str, endpoint: &str) -> Result<SdkTracerProvider, ExporterBuildError> {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        .build()?;
    let resource = Resource::builder()
        .with_service_name(service)
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}

/// One JSON object a line. Fields of the spans around an event count as its own; the innermost value wins.
struct JsonLine {
    service: &'static str,
}

impl<S> FormatEvent<S, JsonFields> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        for span in context.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            let extensions = span.extensions();
            let Some(text) = extensions.get::<FormattedFields<JsonFields>>() else { continue };
            if let Ok(Value::Object(of_span)) = serde_json::from_str(&text.fields) {
                fields.0.extend(of_span);
            }
        }
        event.record(&mut fields);

        let metadata = event.metadata();
        let mut members: Vec<(&str, Value)> = vec![
            ("timestamp", Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true).into()),
            ("level", metadata.level().as_str().into()),
            ("service", self.service.into()),
            ("target", metadata.target().into()),
        ];
        members.extend(MEMBERS.iter().filter_map(|name| Some((*name, fields.0.remove(*name)?))));
        if !fields.0.is_empty() {
            members.push(("metadata", Value::Object(fields.0)));
        }
        // A map would sort its members; people read these lines too.
        let mut line = Vec::new();
        serde_json::Serializer::new(&mut line).collect_map(members).map_err(|_| fmt::Error)?;
        writeln!(writer, "{}", String::from_utf8_lossy(&line))
    }
}

#[derive(Default)]
struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().into(), format!("{value:?}").into());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Sink {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    #[test]
    fn a_json_line_has_the_fields_of_its_event_and_of_the_spans_around_it() {
        let sink = Sink::default();
        let layer = tracing_subscriber::fmt::layer()
            .fmt_fields(JsonFields::new())
            .event_format(JsonLine { service: "api" })
            .with_writer(sink.clone());
        tracing::subscriber::with_default(Registry::default().with(layer), || {
            let _request = tracing::info_span!("request", request_id = "r1", method = "POST").entered();
            tracing::info!(
                user_id = "u1",
                design_id = "d1",
                action = "design_updated",
                duration_ms = 45,
                blocks_added = 2,
                "saved"
            );
        });
        let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        assert!(text.starts_with("{\"timestamp\":\"") && text.ends_with("}\n"), "{text}");
        let mut line: Map<String, Value> = serde_json::from_str(&text).unwrap();
        let timestamp = line.remove("timestamp").unwrap();
        assert!(timestamp.as_str().unwrap().ends_with('Z'));
        assert_eq!(
            Value::Object(line),
            serde_json::json!({
                "level": "INFO", "service": "api", "target": "worker::telemetry::tests", "message": "saved",
                "request_id": "r1", "user_id": "u1", "design_id": "d1", "action": "design_updated", "duration_ms": 45,
                "metadata": {"method": "POST", "blocks_added": 2},
            })
        );
    }
}
