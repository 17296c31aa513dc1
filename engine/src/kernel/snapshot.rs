//! What every block holds after an event of a run's trace: the run is played again up to the step that told the event.

use serde::Serialize;
use serde_json::{Value, json};

use super::budget::{Control, Options};
use super::{Kernel, Space};
use crate::plan::{Plan, Spec};
use crate::sampling::{self, Choice};
use crate::{SimulateError, Workload};

/// Most items of one list of a state: pages of a level, frames, files of a level, requests. Lists say how many there are.
pub(crate) const ITEMS: usize = 1_000;

/// The blocks of a design at one moment of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Snapshot {
    /// Virtual time of the event, in nanoseconds.
    pub time_ns: u64,
    /// In canvas order.
    pub blocks: Vec<BlockState>,
}

/// What a block holds. Its form depends on the kind; lists are cut after a thousand items, beside their full `…_count`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BlockState {
    pub block_id: String,
    pub kind: String,
    pub state: Value,
}

/// The state after the event of this `sequence` in the report of the same run; absent when the trace holds no such event.
/// Takes up to twice the time of the run.
///
/// # Errors
/// As `simulate`.
pub fn state_after(
    plan: &Plan,
    workload: &Workload,
    options: &Options,
    control: &Control,
    sequence: u32,
) -> Result<Option<Snapshot>, SimulateError> {
    let chosen = sampling::choose(plan, workload, options)?;
    let (plan, workload, one_in) = match &chosen {
        Choice::Sample(sampled) => (&sampled.plan, &sampled.workload, Some(sampled.one_in)),
        Choice::Whole | Choice::WholeBecause(_) => (plan, workload, None),
    };
    let mut kernel = Kernel::load(plan, workload, one_in, options, control)?;
    kernel.run(options)?;
    let Some((emission, time_ns)) = kernel.trace.emission_of(sequence) else { return Ok(None) };
    drop(kernel);

    let mut kernel = Kernel::load(plan, workload, one_in, options, control)?;
    kernel.trace.stop_after(emission);
    kernel.run(options)?;
    Ok(Some(Snapshot { time_ns, blocks: kernel.states() }))
}

impl Kernel<'_> {
    fn states(&mut self) -> Vec<BlockState> {
        self.lsms.iter_mut().for_each(|lsm| lsm.lsm.catch_up());
        let mut states: Vec<Value> = vec![json!({}); self.plan.blocks.len()];
        let page = |space: u16, page: u32| self.page_name(space, page);
        self.trees.iter().for_each(|tree| states[tree.block] = tree.tree.state());
        self.heaps.iter().for_each(|heap| states[heap.block] = heap.state());
        self.lsms.iter().for_each(|lsm| states[lsm.block] = lsm.lsm.state());
        self.pools.iter().for_each(|pool| states[pool.block] = pool.state(page));
        self.hashes.iter().for_each(|hash| states[hash.block] = hash.state());
        self.skip_lists.iter().for_each(|list| states[list.block] = list.state());
        self.wals.iter().for_each(|wal| states[wal.block] = wal.state());
        self.disks.iter().for_each(|disk| states[disk.block] = disk.state());
        self.transactions.iter().for_each(|all| states[all.block] = all.state());
        self.cpu.iter().for_each(|cpu| states[cpu.block] = cpu.state());
        for (number, query) in self.query_blocks.iter().enumerate() {
            states[query.block] = self.query_state(number);
        }
        let blocks = self.plan.blocks.iter().zip(states).map(|(block, state)| BlockState {
            block_id: block.id.clone(),
            kind: block.kind.to_owned(),
            state: if matches!(block.spec, Spec::Client { .. }) { self.client_states() } else { state },
        });
        blocks.collect()
    }

    /// A page by the block that owns it; pages of a tree also by their level, 0 for leaves.
    fn page_name(&self, space: u16, page: u32) -> Value {
        let Some(Space { block, .. }) = self.spaces.get(usize::from(space)) else { return json!({}) };
        let first = self.spaces.iter().position(|other| other.block == *block).unwrap_or_default();
        json!({
            "block_id": self.plan.blocks[*block].id,
            "level": usize::from(space) - first,
            "page_id": page,
        })
    }

    fn client_states(&self) -> Value {
        let clients: Vec<Value> = (0u32..)
            .zip(&self.clients)
            .take(ITEMS.min(self.client_count()))
            .map(|(number, client)| {
                let name = client.in_progress().then(|| {
                    json!({
                        "operation": client.operation,
                        "name": self.program.groups[usize::from(client.group)].name,
                        "since_ns": client.intended_ns,
                    })
                });
                json!({"client": number, "in_progress": name})
            })
            .collect();
        json!({"clients_count": self.client_count(), "clients": clients})
    }
}

/// The first items of a list as JSON, and under `name_count` how many there are.
pub(crate) fn listed(state: &mut Value, name: &str, count: usize, items: impl Iterator<Item = Value>) {
    state[name] = items.take(ITEMS).collect();
    state[format!("{name}_count")] = json!(count);
}
