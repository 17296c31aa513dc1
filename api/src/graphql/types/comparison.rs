use async_graphql::{Context, Error, ID, SimpleObject};
use entity::{simulation_run, store::runs::Source};
use futures_util::future::{join_all, try_join_all};
use uuid::Uuid;

use super::run::SimulationRun;
use crate::{
    graphql::{
        errors::bad_input,
        id::run_key,
        loaders::{RunById, SourceOf, load},
    },
    service::comparison::{self, Candidate, RUNS},
};

/// Runs side by side.
#[derive(SimpleObject)]
pub struct RunComparison {
    baseline: SimulationRun,
    runs: Vec<SimulationRun>,
    /// Every figure that one of the runs has.
    metrics: Vec<ComparedMetric>,
    /// Who leads, by how much, and what stands against believing it.
    summary: Vec<String>,
}

/// winner is null when the difference is within noise; significant is null where single runs cannot tell.
#[derive(SimpleObject)]
pub struct ComparedMetric {
    name: String,
    unit: Option<String>,
    higher_is_better: bool,
    winner: Option<SimulationRun>,
    significant: Option<bool>,
    /// One for each run, in their order.
    values: Vec<ComparedValue>,
}

/// A figure of a run.
#[derive(SimpleObject)]
pub struct ComparedValue {
    run: SimulationRun,
    value: Option<f64>,
    /// Null on the baseline's lack of the figure, and against 0.
    delta_percent: Option<f64>,
}

impl RunComparison {
    /// The comparison of these runs; none when one of them does not exist for the viewer.
    ///
    /// # Errors
    /// Names the argument that breaks a rule.
    pub async fn of(
        ctx: &Context<'_>,
        run_ids: &[ID],
        baseline_run_id: Option<&ID>,
    ) -> Result<Option<Self>, Error> {
        if !RUNS.contains(&run_ids.len()) {
            return Err(bad_input(format!("runIds must be from {} to {} runs", RUNS.start(), RUNS.end())));
        }
        if run_ids.iter().enumerate().any(|(place, id)| run_ids[..place].contains(id)) {
            return Err(bad_input("runIds must not name a run twice"));
        }
        let baseline = match baseline_run_id {
            None => 0,
            Some(id) => run_ids
                .iter()
                .position(|one| one == id)
                .ok_or_else(|| bad_input("baselineRunId must be one of runIds"))?,
        };
        let Some(keys) = run_ids.iter().map(run_key).collect::<Option<Vec<Uuid>>>() else {
            return Ok(None);
        };
        let rows = try_join_all(keys.into_iter().map(|key| load(ctx, RunById(key)))).await?;
        let Some(rows) = rows.into_iter().collect::<Option<Vec<_>>>() else { return Ok(None) };
        let sources = join_all(rows.iter().map(|row| load(ctx, SourceOf(row.id)))).await;
        let sources = sources.into_iter().collect::<Result<Vec<_>, _>>()?;
        let candidates: Vec<Candidate> =
            rows.iter().zip(sources).map(|(row, source)| candidate(row, source)).collect();
        let figures = comparison::figures(&candidates, baseline);
        let run = |place: usize| SimulationRun::from(rows[place].clone());
        let summary = comparison::sentences(&candidates, baseline, &figures);
        let metrics = figures.into_iter().map(|figure| ComparedMetric {
            name: figure.name.into(),
            unit: figure.unit.map(str::to_owned),
            higher_is_better: figure.higher_is_better,
            winner: figure.winner.map(run),
            significant: None,
            values: figure
                .values
                .into_iter()
                .zip(figure.delta_percent)
                .enumerate()
                .map(|(place, (value, delta_percent))| ComparedValue {
                    run: run(place),
                    value,
                    delta_percent,
                })
                .collect(),
        });
        let metrics = metrics.collect();
        Ok(Some(Self { baseline: run(baseline), runs: (0..rows.len()).map(run).collect(), metrics, summary }))
    }
}

/// What the comparison needs to know of a run: "design v1 (3f2a)", so that two runs of one version differ.
fn candidate(row: &simulation_run::Model, source: Option<Source>) -> Candidate {
    let (name, number, changed_at) = match source {
        Some(source) => (source.design_name, source.version_number, source.workload_changed_at),
        // It went away a moment ago.
        None => (String::new(), 0, None),
    };
    let id = row.id.simple().to_string();
    Candidate {
        label: format!("{name} v{number} ({})", &id[id.len() - 4..]),
        workload: row.workload_id.to_string(),
        workload_changed: changed_at.is_some_and(|changed_at| changed_at > row.created_at),
        engine: row.engine.as_str(),
        engine_version: row.engine_version.clone(),
        summary: row.summary.clone(),
    }
}
