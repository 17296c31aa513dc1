use async_graphql::{Context, Error, ID, SimpleObject};
use entity::simulation_run;
use futures_util::future::{join_all, join3, try_join_all};
use uuid::Uuid;

use super::run::SimulationRun;
use crate::{
    graphql::{
        errors::bad_input,
        id::run_key,
        loaders::{DesignById, RunById, VersionById, WorkloadById, load},
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
        let candidates = join_all(rows.iter().map(|row| candidate(ctx, row))).await;
        let candidates = candidates.into_iter().collect::<Result<Vec<_>, _>>()?;
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
async fn candidate(ctx: &Context<'_>, row: &simulation_run::Model) -> Result<Candidate, Error> {
    let (design, version, workload) = join3(
        load(ctx, DesignById(row.design_id)),
        load(ctx, VersionById(row.design_version_id)),
        load(ctx, WorkloadById(row.workload_id)),
    )
    .await;
    let (design, version, workload) = (design?, version?, workload?);
    let name = design.map_or_else(String::new, |design| design.name);
    let number = version.map_or(0, |version| version.version_number);
    let id = row.id.simple().to_string();
    let changed_at = workload.and_then(|workload| workload.content_changed_at);
    Ok(Candidate {
        label: format!("{name} v{number} ({})", &id[id.len() - 4..]),
        workload: row.workload_id.to_string(),
        workload_changed: changed_at.is_some_and(|changed_at| changed_at > row.created_at),
        engine: row.engine.as_str(),
        engine_version: row.engine_version.clone(),
        summary: row.summary.clone(),
    })
}
