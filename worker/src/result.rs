//! Maps what the engine reports to what the store keeps.

use engine::Report;
use entity::store::results::{NewEvent, NewRun, NewSeries};
use serde_json::json;

/// The rows of a report. `summary` and the parts of `metrics` keep the report's own JSON form.
pub fn new_run(report: Report) -> NewRun {
    let Report { summary, operations, blocks, latency_breakdown, warnings, .. } = &report;
    NewRun {
        throughput_qps: Some(summary.throughput_qps),
        latency_p50_ms: Some(summary.latency_p50_ms),
        latency_p95_ms: Some(summary.latency_p95_ms),
        latency_p99_ms: Some(summary.latency_p99_ms),
        total_io_pages: Some(signed(summary.total_io_pages)),
        cache_hit_ratio: summary.cache_hit_ratio,
        summary: json!(summary),
        metrics: json!({
            "operations": operations,
            "blocks": blocks,
            "latency_breakdown": latency_breakdown,
            "warnings": warnings,
        }),
        engine_version: report.engine_version,
        result_hash: report.result_hash,
        event_count: signed(report.event_count),
        series: report
            .series
            .into_iter()
            .map(|series| NewSeries {
                name: series.name,
                unit: series.unit,
                block_id: series.block_id,
                interval_ns: signed(series.interval_ns),
                values: series.values,
            })
            .collect(),
        events: report
            .events
            .into_iter()
            .map(|event| NewEvent {
                sequence_number: i32::try_from(event.sequence).unwrap_or(i32::MAX),
                time_ns: signed(event.time_ns),
                event_type: event.kind,
                block_id: event.block_id,
                payload: event.payload,
            })
            .collect(),
    }
}

/// Counts and virtual times stay far below 2^63.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
