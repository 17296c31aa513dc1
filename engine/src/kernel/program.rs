//! The workload bound to a plan: each operation with its table, its path and its key choice.

use super::budget::{Control, LOAD_POLL, StopCause};
use super::loops::{self, Loop};
use crate::SimulateError;
use crate::design::{Code, Diagnostic};
use crate::plan::{Plan, Route, query};
use crate::prng::{Rng, Stream};
use crate::workload::access::{self, Access, KeyChoice, RowLocking};
use crate::workload::query::QueryShape;
use crate::workload::{OperationType, Table, Workload};

/// One weighted choice: a statement, or the statements of a named transaction.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: String,
    /// Positions in `Program::statements`, in order. What is repeated stands here as often as it runs at most.
    pub(crate) statements: Vec<u16>,
    /// The loops whose number of rounds is drawn.
    loops: Vec<Loop>,
    /// Weights of this group and those before it.
    cumulative: f64,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Statement {
    pub(crate) kind: OperationType,
    pub(crate) access: Access,
    pub(crate) table: u16,
    pub(crate) key: KeyChoice,
    /// How often it runs, at least and at most.
    pub(crate) repeat: (u16, u16),
    pub(crate) route: Route,
    pub(crate) missing: bool,
    pub(crate) changes_indexed_column: bool,
    pub(crate) changed_bytes: u32,
    pub(crate) locking: RowLocking,
    pub(crate) think_ns: u64,
    pub(crate) query: Option<QueryShape>,
}

#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) tables: Vec<Table>,
    pub(crate) statements: Vec<Statement>,
    pub(crate) groups: Vec<Group>,
    /// Warm-up and measured operations.
    pub(crate) warmup: u64,
    pub(crate) total: u64,
    choices: Stream,
    rounds: Stream,
}

impl Program {
    /// # Errors
    /// `InvalidWorkload` with every problem of the workload; `InvalidDesign` with every table no block serves.
    pub(crate) fn bind(plan: &Plan, workload: &Workload, seed: u64) -> Result<Self, SimulateError> {
        let found = workload.check();
        if !found.is_empty() {
            return Err(SimulateError::InvalidWorkload(found));
        }
        let tables = workload.effective_tables();
        let mut missing = Vec::new();
        let mut program = Self {
            statements: Vec::new(),
            groups: Vec::new(),
            warmup: workload.effective_warmup_operations(),
            total: workload.effective_warmup_operations() + workload.config.total_operations,
            choices: Stream::new(seed, "operations"),
            rounds: Stream::new(seed, "rounds"),
            tables,
        };
        let mut positions = vec![0; workload.operations.len()];
        for (index, operation) in workload.operations.iter().enumerate() {
            if operation.weight == 0.0 {
                continue;
            }
            let Some(statement) = access::statement(workload, &program.tables, index, &mut missing) else {
                continue;
            };
            let table = &program.tables[statement.table].name;
            let Some(table_plan) = plan.table(table) else {
                missing.push(not_stored(plan, table, index));
                continue;
            };
            let route = match statement.access {
                Access::Point => table_plan.point,
                Access::Range { .. } => table_plan.range,
                Access::Scan => table_plan.scan,
                Access::Query => match query_route(plan, &program.tables, &statement, index) {
                    Ok(route) => Some(route),
                    Err(problem) => {
                        missing.push(problem);
                        continue;
                    }
                },
                Access::RowId => match table_plan.row_id(&plan.blocks) {
                    Some(route) => Some(route),
                    None => {
                        missing.push(no_row_ids(table, index));
                        continue;
                    }
                },
            };
            // An INSERT looks for nothing.
            let inserted = table_plan.storage.or(table_plan.indexes.first().copied());
            let inserts = || Some(Route::RowId { storage: inserted? });
            let Some(route) = route.or_else(|| inserts().filter(|_| statement.kind == OperationType::Insert))
            else {
                missing.push(no_path(table, index));
                continue;
            };
            if let (true, Some(hash)) = (statement.access != Access::Point, route.hash_index(&plan.blocks)) {
                missing.push(no_order(&plan.blocks[hash].id, index));
                continue;
            }
            let position = program.statements.len() as u16;
            positions[index] = usize::from(position);
            let name = access::name_of(operation, &statement);
            program.statements.push(Statement {
                kind: statement.kind,
                access: statement.access,
                table: statement.table as u16,
                key: by_position(statement.key, &positions),
                repeat: statement.repeat,
                route,
                missing: statement.missing,
                changes_indexed_column: statement.changes_indexed_column,
                changed_bytes: statement.changed_bytes,
                locking: statement.locking,
                think_ns: statement.think_ns,
                query: statement.query,
            });
            program.add_to_group(operation.transaction.as_deref(), name, operation.weight, position);
        }
        if !missing.is_empty() {
            return Err(SimulateError::InvalidDesign(missing));
        }
        for group in &mut program.groups {
            (group.statements, group.loops) = loops::unroll(&group.statements, &program.statements);
        }
        Ok(program)
    }

    fn add_to_group(&mut self, transaction: Option<&str>, name: String, weight: f64, statement: u16) {
        let name = transaction.map_or(name, str::to_owned);
        if transaction.is_some() {
            if let Some(group) = self.groups.iter_mut().find(|group| group.name == name) {
                group.statements.push(statement);
                return;
            }
        }
        // Names are what a reader tells operations apart by.
        let same = self
            .groups
            .iter()
            .filter(|group| group.name == name || group.name.starts_with(&format!("{name} #")));
        let name = match same.count() {
            0 => name,
            others => format!("{name} #{}", others + 1),
        };
        let before = self.groups.last().map_or(0.0, |group| group.cumulative);
        self.groups.push(Group {
            name,
            statements: vec![statement],
            loops: Vec::new(),
            cumulative: before + weight,
        });
    }

    /// The generator of an operation, and the group it draws first. Both depend on the seed and the number alone.
    #[inline]
    pub(crate) fn choose(&self, operation: u64) -> (Rng, u16) {
        let mut rng = self.choices.at(operation);
        if self.groups.len() == 1 {
            return (rng, 0);
        }
        let all = self.groups.last().map_or(0.0, |group| group.cumulative);
        let point = rng.unit() * all;
        let last = self.groups.len() - 1;
        let group = self.groups[..last].iter().position(|group| point < group.cumulative).unwrap_or(last);
        (rng, group as u16)
    }

    /// The place of a group that an operation comes to after this one; none after its last.
    #[inline]
    pub(crate) fn after(&self, group: u16, place: u16, operation: u64) -> Option<u16> {
        let group = &self.groups[usize::from(group)];
        let next = (group.loops.iter().enumerate())
            .fold(place + 1, |next, (number, one)| one.skip(self.rounds, operation, number, next));
        (usize::from(next) < group.statements.len()).then_some(next)
    }

    /// What the run does to each table: the choices are known beforehand.
    pub(crate) fn changes(&self, control: &Control) -> Result<Vec<Changes>, StopCause> {
        let mut changes = vec![Changes::default(); self.tables.len()];
        let matters = |statement: &u16| {
            let statement = &self.statements[usize::from(*statement)];
            statement.kind == OperationType::Insert || statement.changes_indexed_column
        };
        if !self.groups.iter().any(|group| group.statements.iter().any(matters)) {
            return Ok(changes);
        }
        let drawn = self.groups.iter().any(|group| !group.loops.is_empty());
        let mut chosen = vec![0u64; self.groups.len()];
        let mut rounds: Vec<Vec<u64>> = self.groups.iter().map(|group| vec![0; group.loops.len()]).collect();
        if self.groups.len() == 1 && !drawn {
            chosen[0] = self.total;
        } else {
            for operation in 0..self.total {
                if operation % LOAD_POLL == 0 {
                    control.check()?;
                }
                let group = usize::from(self.choose(operation).1);
                chosen[group] += 1;
                for (number, sum) in rounds[group].iter_mut().enumerate() {
                    *sum +=
                        u64::from(self.groups[group].loops[number].rounds(self.rounds, operation, number));
                }
            }
        }
        let mut with_times: Vec<(Statement, u64)> = Vec::new();
        for ((group, times), rounds) in self.groups.iter().zip(chosen).zip(rounds) {
            let statement = |number: &u16| self.statements[usize::from(*number)];
            let drawn = |place: u16| group.loops.iter().any(|one| one.places().contains(&place));
            with_times.extend(
                (0u16..)
                    .zip(&group.statements)
                    .filter(|(place, _)| !drawn(*place))
                    .map(|(_, number)| (statement(number), times)),
            );
            for (one, sum) in group.loops.iter().zip(rounds) {
                let round = &group.statements[one.round()];
                with_times.extend(round.iter().map(|number| (statement(number), sum)));
            }
        }
        for (statement, times) in
            with_times.iter().filter(|(statement, _)| statement.kind == OperationType::Insert)
        {
            changes[usize::from(statement.table)].inserts += times;
        }
        for (statement, times) in with_times.iter().filter(|(statement, _)| statement.changes_indexed_column)
        {
            let table = usize::from(statement.table);
            let rows = match statement.access {
                Access::Point | Access::RowId => 1,
                Access::Range { max_rows, .. } => max_rows,
                Access::Scan | Access::Query => self.tables[table].record_count + changes[table].inserts,
            };
            let column_changes = &mut changes[table].column_changes;
            *column_changes = column_changes.saturating_add(times.saturating_mul(rows));
        }
        Ok(changes)
    }
}

/// What a run does to a table.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Changes {
    pub(crate) inserts: u64,
    /// New values of indexed columns beside the key, at most.
    pub(crate) column_changes: u64,
}

/// A key that names statements by their place in the program instead of in the workload.
fn by_position(key: KeyChoice, positions: &[usize]) -> KeyChoice {
    let KeyChoice::Part(mut part) = key else { return key };
    part.map(|position| positions[position]);
    KeyChoice::Part(part)
}

/// The join or the sort that serves a query.
fn query_route(
    plan: &Plan,
    tables: &[Table],
    statement: &access::Statement,
    operation: usize,
) -> Result<Route, Diagnostic> {
    let Some(shape) = statement.query else { return Err(no_row_ids("", operation)) };
    let name = |table: usize| tables[table].name.as_str();
    let names = (name(statement.table), shape.join.map(|join| name(join.table)));
    let route = query::route(&plan.blocks, &plan.entries, names, shape.ordered);
    let route = route.ok_or_else(|| query::no_route(names, shape.ordered, operation))?;
    query::check_lookups(&plan.blocks, route, names, &shape, operation)?;
    Ok(route)
}

fn no_order(hash: &str, operation: usize) -> Diagnostic {
    let message = format!(
        "operation {operation} reads rows in key order or all of them, and hash index \"{hash}\" finds single keys only: connect an \
         ordered index, a sequential scan or the table's storage too"
    );
    Diagnostic::error(Code::TableNotStored, &["blocks"], message)
}

fn no_row_ids(table: &str, operation: usize) -> Diagnostic {
    let message = format!(
        "operation {operation} finds rows by row id, which only a heap has; table \"{table}\" is in none"
    );
    Diagnostic::error(Code::TableNotStored, &["blocks"], message)
}

fn no_path(table: &str, operation: usize) -> Diagnostic {
    let message = format!(
        "operation {operation} needs a path to table \"{table}\", to which only joins or sorts lead: connect the client to an index scan, a \
         sequential scan or the table's storage too"
    );
    Diagnostic::error(Code::TableNotStored, &["blocks"], message)
}

fn not_stored(plan: &Plan, table: &str, operation: usize) -> Diagnostic {
    let stored: Vec<&str> = plan.tables.iter().map(|table| table.name.as_str()).collect();
    let message = format!(
        "operation {operation} needs table \"{table}\", which no reachable storage or index of the design holds (it holds: {})",
        if stored.is_empty() { "none".to_owned() } else { stored.join(", ") }
    );
    Diagnostic::error(Code::TableNotStored, &["blocks"], message)
}
