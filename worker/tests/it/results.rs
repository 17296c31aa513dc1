//! What the engine reports is what the database holds.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use engine::{Report, report::Event};
use entity::{
    run_event, run_metric,
    status::{JobStatus, RunEngine, RunStatus},
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde_json::json;
use worker::{executor::Engine, result};

use crate::support::World;

/// The real engine, with its report changed and kept.
fn keeping(change: impl Fn(&mut Report) + Send + Sync + 'static) -> (Engine, Arc<Mutex<Option<Report>>>) {
    let kept = Arc::new(Mutex::new(None));
    let keep = kept.clone();
    let engine: Engine = Arc::new(move |plan, workload, options, control| {
        let mut report = engine::simulate(plan, workload, options, control)?;
        change(&mut report);
        *keep.lock().unwrap() = Some(report.clone());
        Ok(report)
    });
    (engine, kept)
}

#[tokio::test]
async fn a_report_reads_back_as_it_was() {
    for world in &World::all().await {
        let job = world.queued().await;
        let (engine, kept) = keeping(|_| {});
        world.executor().with_engine(engine).drain().await.unwrap();
        world.assert_status(&job, JobStatus::Completed).await;
        let report = kept.lock().unwrap().take().unwrap();

        let [run] = &world.runs(&job).await[..] else { panic!("one run a job") };
        assert_eq!(
            (run.status, run.engine, run.user_id),
            (RunStatus::Completed, RunEngine::Server, Some(job.user_id))
        );
        assert_eq!(run.seed, Some(job.seed));
        assert_eq!(report.seed, job.seed as u64);
        assert_eq!(run.result_hash.as_deref(), Some(report.result_hash.as_str()));
        assert_eq!(run.engine_version.as_deref(), Some(engine::VERSION));
        assert_eq!(run.throughput_qps, Some(report.summary.throughput_qps));
        assert_eq!(run.latency_p99_ms, Some(report.summary.latency_p99_ms));
        assert_eq!(run.total_io_pages, Some(report.summary.total_io_pages as i64));
        assert_eq!(run.cache_hit_ratio, report.summary.cache_hit_ratio);
        assert_eq!(run.event_count, Some(report.event_count as i64));
        assert_eq!(run.summary, Some(json!(report.summary)));
        let metrics = run.metrics.as_ref().unwrap();
        assert_eq!(metrics["blocks"], json!(report.blocks));
        assert_eq!(metrics["operations"], json!(report.operations));
        assert_eq!(metrics["latency_breakdown"], json!(report.latency_breakdown));
        assert_eq!(metrics["warnings"], json!(report.warnings));
        assert_eq!(metrics.as_object().unwrap().len(), 4, "neither series nor events");

        let events = run_event::Entity::find()
            .filter(run_event::Column::RunId.eq(run.id))
            .order_by_asc(run_event::Column::SequenceNumber)
            .all(&world.services.db)
            .await
            .unwrap();
        assert!(!events.is_empty());
        let events: Vec<Event> = events
            .into_iter()
            .map(|row| Event {
                sequence: row.sequence_number as u32,
                time_ns: row.time_ns as u64,
                kind: row.event_type,
                block_id: row.block_id,
                payload: row.payload,
            })
            .collect();
        assert_eq!(events, report.events);

        let samples = run_metric::Entity::find()
            .filter(run_metric::Column::RunId.eq(run.id))
            .all(&world.services.db)
            .await
            .unwrap();
        assert!(!samples.is_empty());
        let mut stored: BTreeMap<(i32, i64), f64> = BTreeMap::new();
        for sample in samples {
            let series = &report.series[sample.series as usize];
            let tags = sample.tags.unwrap();
            assert_eq!(sample.metric_name, series.name);
            assert_eq!(tags["interval_ms"], json!(series.interval_ns as f64 / 1e6));
            assert_eq!(tags.get("block_id").cloned(), series.block_id.as_ref().map(|id| json!(id)));
            assert_eq!(tags.get("unit").cloned(), series.unit.as_ref().map(|unit| json!(unit)));
            let offset_ns = (sample.time - run.started_at).num_nanoseconds().unwrap();
            stored.insert((sample.series, offset_ns / series.interval_ns as i64), sample.metric_value);
        }
        let reported: BTreeMap<(i32, i64), f64> = (0..)
            .zip(&report.series)
            .flat_map(|(number, series)| {
                (0..)
                    .zip(&series.values)
                    .filter_map(move |(bucket, value)| Some(((number, bucket), (*value)?)))
            })
            .collect();
        assert_eq!(stored, reported);
    }
}

#[tokio::test]
async fn batches_keep_every_event() {
    const EVENTS: u32 = 50_001;
    for world in &World::all().await {
        let job = world.queued().await;
        let (engine, _) = keeping(|report| {
            report.events = (0..EVENTS)
                .map(|sequence| Event {
                    sequence,
                    time_ns: u64::from(sequence) * 1_000,
                    kind: "page_read".into(),
                    block_id: "block \"one\", {läuft}".into(),
                    payload: json!({ "page": sequence, "quote": "it's \\ \"quoted\"", "none": null }),
                })
                .collect();
        });
        world.executor().with_engine(engine).drain().await.unwrap();
        world.assert_status(&job, JobStatus::Completed).await;
        let run = &world.runs(&job).await[0];
        let events = run_event::Entity::find()
            .filter(run_event::Column::RunId.eq(run.id))
            .order_by_asc(run_event::Column::SequenceNumber)
            .all(&world.services.db)
            .await
            .unwrap();
        assert_eq!(events.len(), EVENTS as usize);
        for (sequence, event) in (0..).zip(&events) {
            assert_eq!((event.sequence_number, event.time_ns), (sequence, i64::from(sequence) * 1_000));
            assert_eq!(event.block_id, "block \"one\", {läuft}");
            assert_eq!(event.payload["page"], sequence);
            assert_eq!(event.payload["quote"], "it's \\ \"quoted\"");
        }
    }
}

#[tokio::test]
async fn equal_jobs_have_equal_results_on_every_database() {
    let mut hashes = Vec::new();
    for world in &World::all().await {
        let jobs = [world.queued().await, world.queued().await];
        world.executor().drain().await.unwrap();
        for job in &jobs {
            let run = &world.runs(job).await[0];
            assert_eq!(result_columns(run), result_columns(&world.runs(&jobs[0]).await[0]));
            hashes.push(run.result_hash.clone());
        }
    }
    assert!(hashes[0].is_some() && hashes.iter().all(|hash| *hash == hashes[0]), "{hashes:?}");
}

fn result_columns(
    run: &entity::simulation_run::Model,
) -> (Option<serde_json::Value>, Option<serde_json::Value>) {
    (run.summary.clone(), run.metrics.clone())
}

#[test]
fn counts_beyond_the_columns_are_capped() {
    let checked = engine::design::check(&crate::support::canvas());
    let plan = checked.plan.unwrap();
    let workload = crate::support::small_workload();
    let mut report =
        engine::simulate(&plan, &workload, &engine::Options::default(), &engine::Control::default()).unwrap();
    report.event_count = u64::MAX;
    assert_eq!(result::new_run(report).event_count, i64::MAX);
}
