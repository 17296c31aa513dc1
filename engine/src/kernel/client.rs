//! Clients: how operations begin and end, in the closed loop and in the open one.

use serde_json::json;

use super::calendar::Event;
use super::cause::{CLIENT_QUEUE, CPU};
use super::step::{Flow, Step};
use super::{Kernel, MANY_STEPS, STEPS_AT_ONCE, TOUCHED_REST};
use crate::blocks::bitmap::Bitmap;
use crate::blocks::buffer::at_commit::SpacePage;
use crate::blocks::query::QueryRun;
use crate::blocks::tree::{MAX_LEVELS, Path};
use crate::prng::{Rng, Stream};
use crate::workload::OperationType;

/// One client: a person at a keyboard, a connection, a thread.
#[derive(Debug)]
pub(crate) struct Client {
    /// What is left of the statement in progress, last step first.
    pub(crate) steps: Vec<Step>,
    /// What follows it.
    pub(crate) stage: Stage,
    /// Pages of the tree search in progress.
    pub(crate) path: Path,
    pub(crate) rng: Rng,
    pub(crate) operation: u64,
    pub(crate) group: u16,
    /// When the operation was meant to begin: latency counts from here.
    pub(crate) intended_ns: u64,
    /// Since when it waits for a core.
    pub(crate) core_wanted_ns: u64,
    /// Causes of the operation in progress that have been charged, one bit each.
    pub(super) touched: u64,
    /// Since when the client waits for what it waits for.
    pub(crate) waiting_since_ns: u64,
    /// Processor time of requests it waited for: it passes when the client goes on.
    pub(crate) owed_cpu_ns: u64,
    /// The page it is going to ask a device for, when its processor time has passed or the evicted page has been written.
    pub(crate) wanted: Option<Wanted>,
    /// Requests of its commit that are not done yet.
    pub(crate) forced_requests: u32,
    /// Key of the last statement.
    pub(crate) rank: u32,
    pub(crate) record: u32,
    /// Records of the statements that later ones refer to.
    pub(crate) remembered: Vec<u32>,
    /// Logs the transaction in progress has written to, one bit each.
    pub(crate) logs: u128,
    /// Operations of the transaction in progress that are done.
    pub(crate) in_transaction: u32,
    /// The transaction in progress has begun to change something.
    pub(crate) wrote: bool,
    /// The operation in progress ends its transaction.
    commits: bool,
    /// The operation in progress has committed.
    committed: bool,
    pub(crate) traced: bool,
    /// Number of the transaction in progress, where versions of rows are kept.
    pub(crate) transaction: u32,
    /// Of an update of every row: (page, record) of rows that had moved when it began, in order.
    pub(crate) moved_rows: Vec<(u32, u32)>,
    /// And how many pages there were.
    pub(crate) scan_pages: u32,
    /// The join or the sort in progress.
    pub(crate) query: Option<Box<QueryRun>>,
    /// The pages a bitmap scan is going to visit.
    pub(crate) bitmap: Option<Box<Bitmap>>,
    /// The heap page that the scan in progress fetched its last row from, and that of the visibility map: it keeps them pinned.
    pub(crate) pinned_page: u32,
    pub(crate) pinned_map_page: u32,
}

/// A page that a frame was taken for, and the page that has to be written first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) pool: u16,
    pub(crate) frame: u32,
    pub(crate) space: u16,
    pub(crate) page: u32,
    pub(crate) evicted: Option<SpacePage>,
}

/// Where an operation stands. What needs no wait runs straight through, without a step on the stack.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stage {
    /// Between operations.
    Idle,
    /// This statement of the group comes next.
    Statement(u16),
    /// The transaction block has to agree to the commit.
    Validate,
    Commit,
    /// The transaction has aborted: its changes are undone.
    Undo,
    /// And then it is run again.
    Restart,
    End,
    /// It is no client of the workload but a vacuum in progress.
    Vacuum,
}

impl Client {
    pub(crate) fn in_progress(&self) -> bool {
        !matches!(self.stage, Stage::Idle)
    }

    pub(crate) fn begin_vacuum(&mut self) {
        self.stage = Stage::Vacuum;
    }

    /// Its log records are nobody's commit.
    pub(crate) fn end_vacuum(&mut self) {
        self.stage = Stage::Idle;
        self.logs = 0;
    }

    /// `remembered`: how many statements later ones refer to.
    pub(super) fn new(remembered: usize) -> Self {
        Self {
            steps: Vec::with_capacity(16),
            stage: Stage::Idle,
            path: Path { pages: [0; MAX_LEVELS], height: 0 },
            rng: Stream::new(0, "").at(0),
            operation: 0,
            group: 0,
            intended_ns: 0,
            core_wanted_ns: 0,
            touched: 0,
            waiting_since_ns: 0,
            owed_cpu_ns: 0,
            wanted: None,
            forced_requests: 0,
            rank: 0,
            record: 0,
            remembered: vec![0; remembered],
            logs: 0,
            in_transaction: 0,
            wrote: false,
            commits: false,
            committed: false,
            traced: false,
            transaction: 0,
            moved_rows: Vec::new(),
            scan_pages: 0,
            query: None,
            bitmap: None,
            pinned_page: u32::MAX,
            pinned_map_page: u32::MAX,
        }
    }

    pub(super) fn memory_bytes(&self) -> u64 {
        self.moved_rows.capacity() as u64 * 8
            + self.query.as_ref().map_or(0, |query| query.memory_bytes())
            + self.bitmap.as_ref().map_or(0, |bitmap| bitmap.memory_bytes())
    }
}

/// Moves the times of the causes touched into `sums`, if there is where to, and sets them back.
#[inline]
fn take_touched(spent: &mut [u64], touched: u64, mut sums: Option<&mut [u64]>) {
    let causes = spent.len();
    let mut take = |cause: usize| {
        let ns = std::mem::take(&mut spent[cause]);
        if let Some(sums) = &mut sums {
            sums[cause] += ns;
        }
    };
    let mut bits = touched & !(1 << TOUCHED_REST);
    while bits != 0 {
        take(bits.trailing_zeros() as usize);
        bits &= bits - 1;
    }
    if touched >> TOUCHED_REST == 1 {
        (TOUCHED_REST..causes).for_each(take);
    }
}

impl Kernel<'_> {
    /// Puts the first events into the calendar.
    pub(super) fn start(&mut self) {
        if self.program.warmup == 0 {
            self.begin_measuring();
        }
        let clients = self.client_count() as u32;
        if self.arrival_gap_ns.is_some() {
            self.idle.extend((0..clients).rev());
            self.schedule_arrival();
        } else {
            (0..clients).for_each(|client| self.calendar.schedule(0, Event::Client(client)));
        }
    }

    fn schedule_arrival(&mut self) {
        if let Some(gap_ns) = self.arrival_gap_ns.filter(|_| self.arrived < self.program.total) {
            let wait_ns = self.arrivals.at(self.arrived).exponential() * gap_ns;
            self.arrived += 1;
            self.calendar.schedule(self.now_ns + wait_ns as u64, Event::Arrival);
        }
    }

    /// Open loop: an operation arrives, and a free client takes it at once.
    pub(super) fn arrive(&mut self) {
        self.backlog.push_back(self.now_ns);
        self.schedule_arrival();
        if let Some(client) = self.idle.pop() {
            self.resume(client);
        }
        self.let_writers_finish();
    }

    /// A client goes on with its steps, or takes its next operation.
    pub(crate) fn resume(&mut self, client: u32) {
        if matches!(self.clients[client as usize].stage, Stage::Idle) && !self.begin_operation(client) {
            return;
        }
        if !self.has_core(client) {
            return;
        }
        self.cpu_ns = std::mem::take(&mut self.clients[client as usize].owed_cpu_ns);
        self.go_on(client);
    }

    /// The steps of a client that has its core, until it waits, or has taken so many that the stop flag is to be looked at.
    pub(super) fn go_on(&mut self, client: u32) {
        let mut steps = 0;
        loop {
            let flow = match self.clients[client as usize].steps.pop() {
                Some(step) => self.execute(client, step),
                None => self.advance(client),
            };
            if self.trace.is_reached() {
                return;
            }
            steps += 1;
            match flow {
                Flow::Next if steps < STEPS_AT_ONCE => {}
                Flow::Next => {
                    self.worked(steps.into());
                    self.clients[client as usize].owed_cpu_ns = self.cpu_ns;
                    self.paused = Some(client);
                    return;
                }
                Flow::Wait => {
                    self.count_steps(steps);
                    return self.release_core(client);
                }
                Flow::Ask => return self.count_steps(steps),
                Flow::Yield => {
                    self.count_steps(std::mem::take(&mut steps));
                    // What was done so far takes its time; the step that asked for it comes again after it.
                    let then_ns = self.pass_cpu(client);
                    if !self.run_on(then_ns) {
                        self.calendar.schedule(then_ns, Event::Client(client));
                        return;
                    }
                    if !self.has_core(client) {
                        return;
                    }
                }
            }
        }
    }

    /// Many steps between two events count like events.
    #[inline]
    fn count_steps(&mut self, steps: u32) {
        if steps >= MANY_STEPS {
            self.worked(steps.into());
        }
    }

    /// The running client's processor time so far is charged; when it will have passed.
    #[inline]
    pub(super) fn pass_cpu(&mut self, client: u32) -> u64 {
        let cpu_ns = std::mem::take(&mut self.cpu_ns);
        self.charge(client, CPU, cpu_ns);
        self.totals.cpu_ns += cpu_ns;
        self.now_ns + cpu_ns
    }

    /// Nothing is left of the statement in progress: the next one, or what ends the operation.
    #[inline]
    fn advance(&mut self, client: u32) -> Flow {
        let state = &mut self.clients[client as usize];
        match state.stage {
            Stage::Idle => Flow::Wait,
            Stage::Statement(place) => {
                let group = state.group;
                let statement = self.program.groups[usize::from(group)].statements[usize::from(place)];
                if self.transactions.is_some() {
                    if let Some(flow) = self.enter_statement(client, statement) {
                        return flow;
                    }
                }
                let state = &self.clients[client as usize];
                if !state.wrote && self.statements[usize::from(statement)].kind != OperationType::Select {
                    if let Some(flow) = self.wait_for_writer_lock(client) {
                        return flow;
                    }
                    self.clients[client as usize].wrote = true;
                }
                self.next_stage(client);
                if self.statements[usize::from(statement)].think_ns > 0 {
                    self.push(client, Step::Think { statement });
                }
                self.begin_statement(client, statement)
            }
            Stage::Validate => self.validate(client),
            Stage::Commit => self.commit(client),
            Stage::Undo => self.undo_next(client),
            Stage::Restart => self.restart_transaction(client),
            Stage::End => self.end_operation(client),
            Stage::Vacuum => self.vacuum(client),
        }
    }

    /// What follows the statement that is about to begin.
    #[inline]
    pub(crate) fn next_stage(&mut self, client: u32) {
        let state = &mut self.clients[client as usize];
        let Stage::Statement(place) = state.stage else { return };
        let operation = match &self.transactions {
            Some(all) => all.operation_of(client),
            None => state.operation,
        };
        state.stage = match self.program.after(state.group, place, operation) {
            Some(next) => Stage::Statement(next),
            None if self.transactions.is_some() => return self.next_stage_of_transaction(client),
            None if state.commits => {
                if state.wrote {
                    // Under what the statement is about to push, so they come after it.
                    let force = |pool: &u16| Step::Force { pool: *pool };
                    state.steps.extend(self.forcing_pools.iter().map(force));
                }
                Stage::Commit
            }
            None => Stage::End,
        };
    }

    fn next_stage_of_transaction(&mut self, client: u32) {
        let again = self.next_operation_again(client);
        let state = &mut self.clients[client as usize];
        state.stage = match state.commits {
            _ if again => Stage::Statement(0),
            true => Stage::Validate,
            false => Stage::End,
        };
    }

    /// A client thinks before it goes on with its transaction.
    pub(super) fn think(&mut self, client: u32, statement: u16) -> Flow {
        if self.cpu_ns > 0 {
            self.push(client, Step::Think { statement });
            return Flow::Yield;
        }
        let think_ns = self.statements[usize::from(statement)].think_ns;
        self.charge(client, self.causes.think, think_ns);
        self.calendar.schedule(self.now_ns + think_ns, Event::Client(client));
        Flow::Wait
    }

    /// Whether every operation has begun.
    pub(crate) fn nothing_left_to_begin(&self) -> bool {
        self.issued == self.program.total
            || (self.arrival_gap_ns.is_some()
                && self.arrived == self.program.total
                && self.backlog.is_empty())
    }

    /// Whether there was an operation to begin.
    fn begin_operation(&mut self, client: u32) -> bool {
        let intended_ns = if self.arrival_gap_ns.is_some() {
            match self.backlog.pop_front() {
                Some(arrived_ns) => arrived_ns,
                None => {
                    self.idle.push(client);
                    self.let_writers_finish();
                    self.end_open_transactions(client);
                    return false;
                }
            }
        } else if self.issued < self.program.total {
            self.now_ns
        } else {
            self.let_writers_finish();
            self.end_open_transactions(client);
            return false;
        };
        let operation = self.issued;
        self.issued += 1;
        let (rng, group) = self.program.choose(operation);
        let traced = self.trace.wants(operation);
        self.charge(client, CLIENT_QUEUE, self.now_ns - intended_ns);
        // The last operation of a run ends its transaction early.
        let last = self.issued == self.program.total;
        let state = &mut self.clients[client as usize];
        let begins = state.in_transaction == 0;
        state.in_transaction += 1;
        if self.versioned && begins {
            state.transaction = self.horizon.begin();
        }
        state.commits = state.in_transaction >= self.operations_per_transaction || last;
        if state.commits {
            state.in_transaction = 0;
        }
        state.stage = Stage::Statement(0);
        state.operation = operation;
        state.rng = rng;
        state.group = group;
        state.intended_ns = intended_ns;
        state.traced = traced;
        if self.transactions.is_some() {
            self.join_transaction(client, begins);
        }
        let state = &mut self.clients[client as usize];
        if begins && !self.header_spaces.is_empty() {
            let header = |space: &u16| Step::Page { space: *space, page: 0, write: false };
            state.steps.extend(self.header_spaces.iter().map(header));
        }
        if traced {
            let name = &self.program.groups[usize::from(group)].name;
            self.trace.emit(
                self.now_ns,
                self.client_block,
                "operation_started",
                || json!({"operation": operation, "name": name, "client": client}),
            );
        }
        true
    }

    /// The operation ends, once its processor time has passed.
    pub(super) fn end_operation(&mut self, client: u32) -> Flow {
        if self.cpu_ns > 0 {
            return Flow::Yield;
        }
        let state = &mut self.clients[client as usize];
        state.stage = Stage::Idle;
        let latency_ns = self.now_ns - state.intended_ns;
        let group = usize::from(state.group);
        let failed = self.transactions.as_ref().is_some_and(|all| all.txns[client as usize].failed);
        if state.traced {
            let operation = state.operation;
            self.trace.emit(
                self.now_ns,
                self.client_block,
                "operation_completed",
                || json!({"operation": operation, "latency_us": latency_ns as f64 / 1e3}),
            );
        }
        let touched = std::mem::take(&mut state.touched);
        let causes = self.causes.list.len();
        let spent = &mut self.spent_ns[client as usize * causes..(client as usize + 1) * causes];
        debug_assert_eq!(spent.iter().sum::<u64>(), latency_ns, "every nanosecond has a cause");
        let sums = match self.measured_from_ns {
            Some(_) if !failed => {
                self.latencies[group].record(latency_ns);
                Some(self.bands.record(latency_ns))
            }
            _ => None,
        };
        take_touched(spent, touched, sums);
        if !failed {
            self.sampler.record(latency_ns);
        }
        // Counted here, so that an operation and its commit fall on the same side of the warm-up's end.
        let committed = std::mem::take(&mut self.clients[client as usize].committed);
        self.totals.commits += u64::from(committed);
        if self.versioned && committed {
            self.horizon.end(self.clients[client as usize].transaction);
        }
        self.completed += 1;
        if self.completed == self.program.warmup {
            self.begin_measuring();
        }
        if self.think_ns > 0 {
            self.calendar.schedule(self.now_ns + self.think_ns, Event::Client(client));
            return Flow::Wait;
        }
        if self.begin_operation(client) && !self.gives_way(client) { Flow::Next } else { Flow::Wait }
    }

    /// The transaction ends: its logs are told one after the other, and may make it wait.
    pub(super) fn commit(&mut self, client: u32) -> Flow {
        let logs = self.clients[client as usize].logs;
        if logs == 0 {
            if self.transactions.is_some() {
                if self.cpu_ns > 0 {
                    return Flow::Yield;
                }
                self.finish_transaction(client);
            }
            self.clients[client as usize].committed = true;
            self.clients[client as usize].stage = Stage::End;
            // A transaction that changed nothing has nothing to make durable.
            if std::mem::take(&mut self.clients[client as usize].wrote) {
                self.cpu_ns += self.costs.commit_ns;
                self.release_writer_lock(client);
            }
            if self.clients[client as usize].traced {
                self.trace.emit(
                    self.now_ns + self.cpu_ns,
                    self.client_block,
                    "transaction_committed",
                    || json!({}),
                );
            }
            return Flow::Next;
        }
        if self.cpu_ns > 0 {
            return Flow::Yield;
        }
        let wal = logs.trailing_zeros() as usize;
        self.clients[client as usize].logs &= logs - 1;
        let (waits, action) = self.wals[wal].commit(client);
        self.apply_log_action(wal, action);
        if waits {
            self.clients[client as usize].waiting_since_ns = self.now_ns;
            return Flow::Wait;
        }
        Flow::Next
    }
}
