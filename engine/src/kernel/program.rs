//! The workload bound to a plan: each operation with its table, its path and its key choice.

use super::budget::{Control, LOAD_POLL, StopCause};
use crate::SimulateError;
use crate::design::{Code, Diagnostic};
use crate::plan::{Plan, Route};
use crate::prng::{Rng, Stream};
use crate::workload::access::{self, Access, KeyChoice, RowLocking};
use crate::workload::{OperationType, Table, Workload};

/// One weighted choice: a statement, or the statements of a named transaction.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: String,
    /// Positions in `Program::statements`, in order.
    pub(crate) statements: Vec<u16>,
    /// Weights of this group and those before it.
    cumulative: f64,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Statement {
    pub(crate) kind: OperationType,
    pub(crate) access: Access,
    pub(crate) table: u16,
    pub(crate) key: KeyChoice,
    pub(crate) route: Route,
    pub(crate) missing: bool,
    pub(crate) changes_indexed_column: bool,
    pub(crate) changed_bytes: u32,
    pub(crate) locking: RowLocking,
    pub(crate) think_ns: u64,
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
            tables,
        };
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
                Access::RowId => match table_plan.row_id(&plan.blocks) {
                    Some(route) => route,
                    None => {
                        missing.push(no_row_ids(table, index));
                        continue;
                    }
                },
            };
            if let (true, Some(hash)) = (statement.access != Access::Point, route.hash_index(&plan.blocks)) {
                missing.push(no_order(&plan.blocks[hash].id, index));
                continue;
            }
            let position = program.statements.len() as u16;
            let name = access::name_of(operation, &statement);
            program.statements.push(Statement {
                kind: statement.kind,
                access: statement.access,
                table: statement.table as u16,
                key: statement.key,
                route,
                missing: statement.missing,
                changes_indexed_column: statement.changes_indexed_column,
                changed_bytes: statement.changed_bytes,
                locking: statement.locking,
                think_ns: statement.think_ns,
            });
            program.add_to_group(operation.transaction.as_deref(), name, operation.weight, position);
        }
        if !missing.is_empty() {
            return Err(SimulateError::InvalidDesign(missing));
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
        self.groups.push(Group { name, statements: vec![statement], cumulative: before + weight });
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
        let mut chosen = vec![0u64; self.groups.len()];
        if self.groups.len() == 1 {
            chosen[0] = self.total;
        } else {
            for operation in 0..self.total {
                if operation % LOAD_POLL == 0 {
                    control.check()?;
                }
                chosen[usize::from(self.choose(operation).1)] += 1;
            }
        }
        let mut with_times: Vec<(Statement, u64)> = Vec::new();
        for (group, times) in self.groups.iter().zip(chosen) {
            with_times
                .extend(group.statements.iter().map(|number| (self.statements[usize::from(*number)], times)));
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
                Access::Scan => self.tables[table].record_count + changes[table].inserts,
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

fn not_stored(plan: &Plan, table: &str, operation: usize) -> Diagnostic {
    let stored: Vec<&str> = plan.tables.iter().map(|table| table.name.as_str()).collect();
    let message = format!(
        "operation {operation} needs table \"{table}\", which no reachable storage or index of the design holds (it holds: {})",
        if stored.is_empty() { "none".to_owned() } else { stored.join(", ") }
    );
    Diagnostic::error(Code::TableNotStored, &["blocks"], message)
}
