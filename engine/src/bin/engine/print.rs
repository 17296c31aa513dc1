//! What the commands print.

use std::fmt::Write as _;

use engine::formulas::Relation;
use engine::report::Percentile;
use engine::{Report, catalog, templates};
use serde_json::{Value, json};

pub(crate) fn catalog_json() -> String {
    let types: Vec<Value> = catalog::block_types()
        .iter()
        .map(|block| {
            let ports = |ports: &[catalog::PortType]| -> Vec<Value> {
                ports
                    .iter()
                    .map(|port| {
                        json!({
                            "name": port.name,
                            "accepts": port.accepts,
                            "required": port.required,
                            "many": port.many,
                            "description": port.description,
                        })
                    })
                    .collect()
            };
            json!({
                "type": block.kind,
                "aliases": block.aliases,
                "title": block.title,
                "category": block.category,
                "description": block.description,
                "inputs": ports(block.inputs),
                "outputs": ports(block.outputs),
                "parameters": block.parameter_schema(),
                "events": block.events,
                "personas": block.personas(),
                "modelled": block.model.modelled,
                "notModelled": block.model.not_modelled,
                "agreement": block.agreement(),
            })
        })
        .collect();
    format!("{:#}", Value::Array(types))
}

pub(crate) fn catalog_text() -> String {
    let mut text = String::new();
    for block in catalog::block_types() {
        let _ = writeln!(text, "{} ({})\n  {}", block.kind, block.category, block.description);
        for port in block.outputs {
            let accepts: Vec<String> = port.accepts.iter().map(ToString::to_string).collect();
            let _ = writeln!(
                text,
                "  port {} → {}{}{}",
                port.name,
                accepts.join(", "),
                if port.required { ", required" } else { "" },
                if port.many { ", many" } else { "" }
            );
        }
        for parameter in block.parameters {
            let schema = parameter.schema();
            let default = schema.get("default").or_else(|| schema.get("x-default")).map(Value::to_string);
            let _ = writeln!(
                text,
                "  {} {}= {}: {}",
                parameter.name,
                parameter.unit.map_or_else(String::new, |unit| format!("[{unit}] ")),
                default.unwrap_or_default(),
                parameter.description
            );
        }
        text.push('\n');
    }
    text
}

pub(crate) fn templates_text() -> String {
    let mut text = String::from("designs\n");
    for template in templates::designs() {
        let _ =
            writeln!(text, "  {:<22} {} (workload {})", template.slug, template.name, template.workload_slug);
    }
    text.push_str("workloads\n");
    for template in templates::workloads() {
        let _ = writeln!(text, "  {:<22} {}", template.slug, template.description);
        for variable in template.variables() {
            let (name, default, description) = (variable.name, variable.default, variable.description);
            let _ = writeln!(text, "  {:<22}   {name} = {default}: {description}", "");
        }
    }
    text
}

pub(crate) fn summary_text(report: &Report) -> String {
    let summary = &report.summary;
    let mut text = String::new();
    let percent =
        |ratio: Option<f64>| ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{:.2} %", ratio * 100.0));
    let factor = |ratio: Option<f64>| ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}"));
    let _ = writeln!(
        text,
        "{} operations in {:.3} virtual seconds ({} before them as warm-up)",
        summary.operations, summary.simulated_seconds, summary.warmup_operations
    );
    let _ = writeln!(text, "throughput   {:.0} operations/s", summary.throughput_qps);
    let _ = writeln!(
        text,
        "latency      mean {:.4}  p50 {:.4}  p95 {:.4}  p99 {:.4}  max {:.4} ms",
        summary.latency_mean_ms,
        summary.latency_p50_ms,
        summary.latency_p95_ms,
        summary.latency_p99_ms,
        summary.latency_max_ms
    );
    let _ = writeln!(
        text,
        "pages        {} read, {} written; buffer hits {}",
        summary.pages_read,
        summary.pages_written,
        percent(summary.cache_hit_ratio)
    );
    let _ = writeln!(
        text,
        "amplification  read {}  write {}  space {}",
        factor(summary.read_amplification),
        factor(summary.write_amplification),
        factor(summary.space_amplification)
    );
    let _ = writeln!(text, "transactions {} committed\n", summary.transactions_committed);
    let _ = writeln!(
        text,
        "{:<24} {:>10} {:>12} {:>10} {:>10}",
        "operation", "count", "per second", "p50 ms", "p99 ms"
    );
    for operation in &report.operations {
        let _ = writeln!(
            text,
            "{:<24} {:>10} {:>12.0} {:>10.4} {:>10.4}",
            operation.name,
            operation.operations,
            operation.throughput_qps,
            operation.latency_p50_ms,
            operation.latency_p99_ms
        );
    }
    for (percentile, title) in [(Percentile::P50, "p50"), (Percentile::P99, "p99")] {
        let _ = writeln!(text, "\nwhere the {title} goes");
        for share in report.latency_breakdown.iter().filter(|share| share.percentile == percentile) {
            let place = share.block_id.as_deref().map_or_else(String::new, |block| format!(" at {block}"));
            let bar = "█".repeat((share.share * 40.0) as usize);
            let _ = writeln!(
                text,
                "  {:<32} {:>10.4} ms {:>5.1} % {bar}",
                format!("{}{place}", share.cause),
                share.milliseconds,
                share.share * 100.0
            );
        }
    }
    let _ = writeln!(text, "\n{:<20} {:<18} {:>11}", "block", "type", "utilization");
    for block in &report.blocks {
        let _ =
            writeln!(text, "{:<20} {:<18} {:>11}", block.block_id, block.kind, percent(block.utilization));
    }
    if !report.formulas.is_empty() {
        let _ =
            writeln!(text, "\n{:<28} {:<14} {:>14} {:>14}", "formula", "block", "by formula", "simulated");
    }
    for check in &report.formulas {
        let relation = match check.relation {
            Relation::Equal => "",
            Relation::AtMost => "≤ ",
            Relation::AtLeast => "≥ ",
        };
        let verdict = match (&check.why_not, check.agrees) {
            (Some(why_not), _) => format!("not valid here: {why_not}"),
            (None, true) => "agrees".to_owned(),
            (None, false) => "DISAGREES".to_owned(),
        };
        let _ = writeln!(
            text,
            "{:<28} {:<14} {:>14} {:>14}  {verdict}",
            check.name,
            check.block_id.as_deref().unwrap_or_default(),
            format!("{relation}{}", figure(check.formula_value)),
            figure(check.simulated_value)
        );
    }
    for warning in &report.warnings {
        let _ = writeln!(text, "\nwarning {}: {}", warning.code, warning.message);
    }
    let _ = writeln!(
        text,
        "\n{} events traced; engine {}, seed {}, result {}",
        report.event_count,
        report.engine_version,
        report.seed,
        &report.result_hash[..12.min(report.result_hash.len())]
    );
    text
}

/// A number with four significant digits, or all digits before its point.
pub(crate) fn figure(value: f64) -> String {
    let size = value.abs();
    let decimals = match size {
        _ if size >= 1e3 || value == 0.0 => 0,
        _ if size >= 1e2 => 1,
        _ if size >= 10.0 => 2,
        _ if size >= 1.0 => 3,
        _ => 4,
    };
    format!("{value:.decimals$}")
}
