//! Keys that belong to a key chosen before: the customers of a district, the stock of an item in a warehouse.
//!
//! `parameters.key` with `of` names an earlier statement of the same transaction, by its `name`. The row that one chose is the
//! p-th of its table's P; to it belong the p-th of P equal parts of this statement's table: ten of a warehouse's districts, 3,000
//! of a district's customers, one row where the tables are as long as each other, and to a customer the district that has it.
//!
//! | field | |
//! |---|---|
//! | `of` | the earlier statement |
//! | `parts` | instead of `of`: into how many equal parts the table falls, of which any is drawn |
//! | `in_turn` | with `parts`: true takes one part after the other |
//! | `distribution` | a law for the rows of the part, with its constants (`workload/key.rs`); `uniform` when absent |
//! | `distribution: first` | the first row of the part |
//! | `distribution: newest` | the row that all but the newest `rows` (1 when absent) of the part's group are older than |
//! | `distribution: oldest` | one after the other from the oldest of the part's group, `rows` on each time (1 when absent), the first `skip` left out; the newest once none is left. Each statement counts for itself |
//! | `at` | another earlier statement instead of a distribution: what number it chose is the place in the part |
//! | `shared_by` | so many rows of the earlier statement's table, neighbours, have one part together (1 when absent) |
//! | `remote_fraction` | with this probability the part of another row than the one chosen, of any |
//! | `remote_group` | rows that are one another's neighbours (1 when absent): a remote one is of another such group |

use serde_json::{Value, json};

use super::Config;
use super::distribution::KeyDraw;
use super::key::{self, KeyLaw, rule};
use super::keyspace::KeySpace;
use crate::design::Diagnostic;
use crate::design::reader::Fields;
use crate::prng::{Rng, Stream};

/// Which row of its part a statement asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Place {
    Drawn(KeyLaw),
    /// The number that this statement chose; a position among those of the workload, later of the program.
    At(usize),
    First,
    Newest {
        rows: u64,
    },
    Oldest {
        rows: u64,
        skip: u64,
    },
}

/// Whose part of the table it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Parent {
    /// Of the row that an earlier statement chose; a position among those of the workload, later of the program.
    Statement(usize),
    /// Of any of so many.
    Parts { parts: u64, in_turn: bool },
}

/// A key that belongs to one chosen before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PartKey {
    pub(crate) of: Parent,
    pub(crate) place: Place,
    /// Neighbours that have one part together.
    pub(crate) shared_by: u64,
    pub(crate) remote_fraction: f64,
    pub(crate) remote_group: u64,
}

/// What a workload states, before names are looked up.
pub(super) struct Stated {
    of: Option<String>,
    at: Option<String>,
    /// With positions that are still to be found.
    key: PartKey,
}

const FIELDS: [&str; 7] = ["of", "parts", "in_turn", "at", "shared_by", "remote_fraction", "remote_group"];
const MAX_ROWS: u64 = 1_000_000_000;
const ROWS_RANGE: &str = "from 1 to 1000000000";

/// Whether this is such a key.
pub(super) fn is_part(value: &Value) -> bool {
    value.get("of").is_some() || value.get("parts").is_some()
}

/// Reads a key that belongs to another; what is wrong with it is told in `found`.
pub(super) fn read(
    value: &Value,
    path: Vec<String>,
    config: &Config,
    found: &mut Vec<Diagnostic>,
) -> Option<Stated> {
    let fields = Fields::of(value, path.clone(), found)?;
    let before = found.len();
    let of = fields.optional_text("of", found).map(str::to_owned);
    let at = fields.optional_text("at", found).map(str::to_owned);
    let parts: Option<u64> = fields.optional_whole("parts", found);
    rule(&fields, "parts", parts.is_some() != of.is_some(), "given where \"of\" is not", found);
    rule(&fields, "parts", parts.is_none_or(|parts| (1..=MAX_ROWS).contains(&parts)), ROWS_RANGE, found);
    let in_turn = fields.optional("in_turn").is_some_and(|value| value == &json!(true));
    let flag = fields.optional("in_turn").is_none_or(Value::is_boolean);
    rule(&fields, "in_turn", flag && !(in_turn && of.is_some()), "true or false, beside \"parts\"", found);
    let shared_by = fields.optional_whole("shared_by", found).unwrap_or(1);
    rule(&fields, "shared_by", (1..=MAX_ROWS).contains(&shared_by), ROWS_RANGE, found);
    let remote_fraction = fields.optional_number("remote_fraction", found).unwrap_or(0.0);
    let remote_group = fields.optional_whole("remote_group", found).unwrap_or(1);
    rule(&fields, "remote_fraction", (0.0..=1.0).contains(&remote_fraction), "from 0 to 1", found);
    rule(&fields, "remote_group", (1..=MAX_ROWS).contains(&remote_group), ROWS_RANGE, found);
    let rows = |found: &mut Vec<Diagnostic>| {
        let rows = fields.optional_whole("rows", found).unwrap_or(1);
        rule(&fields, "rows", (1..=MAX_ROWS).contains(&rows), ROWS_RANGE, found);
        rows
    };
    let known = |more: &[&'static str]| [&FIELDS[..], more].concat();
    let place = match fields.optional("distribution").and_then(Value::as_str) {
        _ if at.is_some() => {
            fields.reject_unknown(&FIELDS, found);
            Place::At(0)
        }
        Some("first") => {
            fields.reject_unknown(&known(&["distribution"]), found);
            Place::First
        }
        Some("newest") => {
            fields.reject_unknown(&known(&["distribution", "rows"]), found);
            Place::Newest { rows: rows(found) }
        }
        Some("oldest") => {
            fields.reject_unknown(&known(&["distribution", "rows", "skip"]), found);
            let skip = fields.optional_whole("skip", found).unwrap_or(0);
            rule(&fields, "skip", skip <= MAX_ROWS, "from 0 to 1000000000", found);
            Place::Oldest { rows: rows(found), skip }
        }
        _ => {
            let mut law = value.clone();
            if let Value::Object(law) = &mut law {
                law.retain(|name, _| !FIELDS.contains(&name.as_str()));
                law.entry("distribution").or_insert(json!("uniform"));
            }
            Place::Drawn(key::read(&law, path, config, found)?)
        }
    };
    let of_parts = Parent::Parts { parts: parts.unwrap_or(1), in_turn };
    let key = PartKey { of: of_parts, place, shared_by, remote_fraction, remote_group };
    (found.len() == before).then_some(Stated { of, at, key })
}

impl Stated {
    /// With the positions of the statements it names, or the name that no earlier statement has.
    pub(super) fn resolve(&self, position: impl Fn(&str) -> Option<usize>) -> Result<PartKey, &str> {
        let mut key = self.key;
        if let Some(of) = &self.of {
            key.of = Parent::Statement(position(of).ok_or(&**of)?);
        }
        if let Some(at) = &self.at {
            key.place = Place::At(position(at).ok_or(&**at)?);
        }
        Ok(key)
    }
}

impl PartKey {
    /// The statements it refers to, and what they become.
    pub(crate) fn map(&mut self, mut position: impl FnMut(usize) -> usize) {
        if let Parent::Statement(of) = &mut self.of {
            *of = position(*of);
        }
        if let Place::At(at) = &mut self.place {
            *at = position(*at);
        }
    }
}

/// The row that an earlier statement chose.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Chosen {
    pub(crate) record: u64,
    /// The group it is of, and how many its table has.
    pub(crate) group: (u64, u64),
}

/// A choice of keys of parts, ready to draw.
#[derive(Debug, Clone)]
pub(crate) struct PartDraw {
    /// Parts, and the loaded rows they share.
    parents: u64,
    loaded: u64,
    /// Parts of nobody: the next one where they are taken in turn.
    of_nobody: Option<OfNobody>,
    shared_by: u64,
    remote_fraction: f64,
    remote_group: u64,
    source: Source,
}

#[derive(Debug, Clone, Copy)]
struct OfNobody {
    in_turn: bool,
    next: u64,
}

#[derive(Debug, Clone)]
enum Source {
    Draw(KeyDraw),
    At,
    First,
    Newest {
        rows: u64,
    },
    /// `next` by group.
    Oldest {
        rows: u64,
        next: Vec<u32>,
    },
}

impl PartDraw {
    /// `parents`: loaded rows of the earlier statement's table; `loaded`: of this one's.
    pub(crate) fn new(
        key: &PartKey,
        config: &Config,
        (parents, loaded): (u64, u64),
        keys: &KeySpace,
        stream: Stream,
    ) -> Self {
        let (parents, of_nobody) = match key.of {
            Parent::Statement(_) => ((parents / key.shared_by).max(1), None),
            Parent::Parts { parts, in_turn } => (parts, Some(OfNobody { in_turn, next: 0 })),
        };
        let source = match key.place {
            Place::Drawn(law) => {
                Source::Draw(KeyDraw::new(law, config, (loaded / parents).max(1), 0, stream))
            }
            Place::At(_) => Source::At,
            Place::First => Source::First,
            Place::Newest { rows } => Source::Newest { rows },
            Place::Oldest { rows, skip } => {
                Source::Oldest { rows, next: vec![skip as u32; keys.groups() as usize] }
            }
        };
        let (remote_fraction, remote_group) = (key.remote_fraction, key.remote_group);
        Self { parents, loaded, of_nobody, shared_by: key.shared_by, remote_fraction, remote_group, source }
    }

    /// Bytes that such a choice is going to take beside its draw.
    pub(crate) fn memory_for(key: &PartKey, keys: &KeySpace) -> u64 {
        match key.place {
            Place::Oldest { .. } => 4 * keys.groups(),
            _ => 0,
        }
    }

    /// Bytes of its draw's tables.
    pub(crate) fn draw_bytes(&self) -> u64 {
        match &self.source {
            Source::Draw(draw) => draw.memory_bytes(),
            _ => 0,
        }
    }

    /// A record. `of` is the row that the key belongs to, `at` the number that is its place, `arrived` how many records there are
    /// so far.
    pub(crate) fn draw(
        &mut self,
        rng: &mut Rng,
        keys: &KeySpace,
        (of, at): (Chosen, u64),
        arrived: u64,
        operation: u64,
    ) -> u64 {
        let (parent, group) = self.parent(rng, of, keys.groups());
        let (first, rows) = self.part(parent);
        let record = match &mut self.source {
            Source::Draw(draw) => first + draw.draw(rng, rows, operation),
            Source::At => first + at % rows,
            Source::First => first,
            Source::Newest { rows } => {
                keys.record_at(group, keys.rows_of(group, arrived).saturating_sub(*rows))
            }
            Source::Oldest { rows, next } => {
                let (present, next) = (keys.rows_of(group, arrived), &mut next[group as usize]);
                let place = u64::from(*next);
                if place < present {
                    *next = u32::try_from(place + *rows).unwrap_or(u32::MAX);
                }
                keys.record_at(group, place.min(present.saturating_sub(1)))
            }
        };
        if record < u64::from(keys.universe()) { record } else { record % arrived.max(1) }
    }

    /// The part, and the group of this table that it lies in.
    fn parent(&mut self, rng: &mut Rng, of: Chosen, groups: u64) -> (u64, u64) {
        let group_of = |parent: u64| parent * groups / self.parents;
        if let Some(nobody) = &mut self.of_nobody {
            let parent = if nobody.in_turn { nobody.next } else { rng.below(self.parents) };
            nobody.next = if parent + 1 == self.parents { 0 } else { parent + 1 };
            return (parent, parent * groups / self.parents);
        }
        let (group, of_groups) = of.group;
        let row_of_the_run = of.record / self.shared_by >= self.parents;
        let parent = match row_of_the_run {
            // A row of the run belongs to its group, and has a part of its own only where nobody shares it.
            true if self.shared_by == 1 => return (of.record, group * groups / of_groups.max(1)),
            true => group * self.parents / of_groups.max(1),
            false => of.record / self.shared_by,
        };
        let parent = self.near_or_remote(rng, parent);
        (parent, group_of(parent))
    }

    fn near_or_remote(&self, rng: &mut Rng, parent: u64) -> u64 {
        let groups = self.parents / self.remote_group;
        if self.remote_fraction == 0.0 || groups < 2 || rng.unit() >= self.remote_fraction {
            return parent;
        }
        let own = (parent / self.remote_group).min(groups - 1);
        let other = rng.below(groups - 1);
        (other + u64::from(other >= own)) * self.remote_group + rng.below(self.remote_group)
    }

    /// The first row that belongs to `parent`, and how many do.
    fn part(&self, parent: u64) -> (u64, u64) {
        if parent < self.parents {
            let (first, end) =
                (parent * self.loaded / self.parents, (parent + 1) * self.loaded / self.parents);
            return (first, (end - first).max(1));
        }
        // A row of the run has as many rows on average, in the same order.
        match self.loaded / self.parents {
            0 => (parent * self.loaded / self.parents % self.loaded.max(1), 1),
            each => (self.loaded + (parent - self.parents) * each, each),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::{Distribution, InsertOrder, Table, presets};

    fn of(record: u64) -> Chosen {
        Chosen { record, group: (0, 1) }
    }

    fn keys(loaded: u64, universe: u32, insert_order: InsertOrder) -> KeySpace {
        let table =
            Table { name: "t".to_owned(), record_count: loaded, record_bytes: 9, key_bytes: 8, insert_order };
        let Ok(keys) = KeySpace::new(&table, universe, 7, || Ok::<(), std::convert::Infallible>(()));
        keys
    }

    fn draw(place: Place, tables: (u64, u64), keys: &KeySpace, remote: (f64, u64)) -> PartDraw {
        let (remote_fraction, remote_group) = remote;
        let key = PartKey { of: Parent::Statement(0), place, shared_by: 1, remote_fraction, remote_group };
        PartDraw::new(&key, &presets::ycsb_c().config, tables, keys, Stream::new(1, "parts"))
    }

    const UNIFORM: Place = Place::Drawn(KeyLaw::Named(Distribution::Uniform));

    #[test]
    fn rows_of_a_part_are_drawn_evenly_and_no_others() {
        let keys = keys(250, 250, InsertOrder::Ascending);
        let mut draw = draw(UNIFORM, (100, 250), &keys, (0.0, 1));
        let mut rng = Stream::new(2, "keys").at(0);
        for parent in [0, 1, 57, 99] {
            let part = parent * 250 / 100..(parent + 1) * 250 / 100;
            let mut counts = vec![0; part.clone().count()];
            for _ in 0..30_000 {
                let record = draw.draw(&mut rng, &keys, (of(parent), 0), 250, 0);
                assert!(part.contains(&record));
                counts[(record - part.start) as usize] += 1;
            }
            let expected = 30_000 / counts.len() as i32;
            assert!(counts.iter().all(|count: &i32| (count - expected).abs() < 600), "{counts:?}");
        }
    }

    #[test]
    fn a_row_leads_to_its_ancestor_its_twin_and_a_place_in_its_part() {
        let keys = keys(1_000, 1_000, InsertOrder::Ascending);
        let mut rng = Stream::new(2, "keys").at(0);
        let mut at = |place, tables, parent, number| {
            draw(place, tables, &keys, (0.0, 1)).draw(&mut rng, &keys, (of(parent), number), 1_000, 0)
        };
        // The 999th of 1,000 customers, in 10 districts; as many accounts as customers; item 77 in warehouse 3.
        assert_eq!(at(UNIFORM, (1_000, 10), 998, 0), 9);
        assert_eq!(at(UNIFORM, (1_000, 1_000), 998, 0), 998);
        assert_eq!(at(Place::At(0), (5, 1_000), 3, 77), 677);
    }

    #[test]
    fn a_row_of_the_run_has_as_many_rows_as_the_others() {
        let keys = keys(1_000, 2_000, InsertOrder::Ascending);
        let mut draw = draw(UNIFORM, (100, 1_000), &keys, (0.0, 1));
        let mut rng = Stream::new(2, "keys").at(0);
        for _ in 0..100 {
            let record = draw.draw(&mut rng, &keys, (of(102), 0), 2_000, 0);
            assert!((1_020..1_030).contains(&record));
        }
    }

    #[test]
    fn remote_rows_are_of_every_other_group_and_as_many_as_stated() {
        let keys = keys(5_000, 5_000, InsertOrder::Ascending);
        let mut draw = draw(UNIFORM, (50, 5_000), &keys, (0.15, 10));
        let mut rng = Stream::new(2, "keys").at(0);
        let mut counts = [0u32; 50];
        for _ in 0..100_000 {
            counts[draw.draw(&mut rng, &keys, (of(23), 0), 5_000, 0) as usize / 100] += 1;
        }
        for (parent, count) in counts.into_iter().enumerate() {
            let expected = match parent {
                23 => 85_000,
                20..=29 => 0,
                _ => 15_000 / 40,
            };
            assert!(count.abs_diff(expected) <= expected / 5 + expected.min(1), "{parent}: {count}");
        }
    }

    #[test]
    fn neighbours_share_a_part_and_parts_of_nobody_are_drawn_or_taken_in_turn() {
        let keys = keys(1_000, 1_000, InsertOrder::Ascending);
        let mut rng = Stream::new(2, "keys").at(0);
        let config = presets::ycsb_c().config;
        let mut draws = |of_parent, shared_by, parents| {
            let key = PartKey {
                of: of_parent,
                place: Place::First,
                shared_by,
                remote_fraction: 0.0,
                remote_group: 1,
            };
            let mut draw = PartDraw::new(&key, &config, (parents, 1_000), &keys, Stream::new(1, "parts"));
            let mut one = |parent| draw.draw(&mut rng, &keys, (of(parent), 0), 1_000, 0);
            [one(0), one(9), one(10), one(19)]
        };
        // Twenty districts in two warehouses.
        assert_eq!(draws(Parent::Statement(0), 10, 20), [0, 0, 500, 500]);
        assert_eq!(draws(Parent::Parts { parts: 3, in_turn: true }, 1, 20), [0, 333, 666, 0]);
        assert!(
            draws(Parent::Parts { parts: 4, in_turn: false }, 1, 20).iter().all(|first| first % 250 == 0)
        );
    }

    #[test]
    fn the_oldest_are_taken_in_turn_and_the_newest_counted_back() {
        let order = InsertOrder::Grouped { groups: 4, run: 1 };
        let keys = keys(40, 60, order);
        let mut rng = Stream::new(2, "keys").at(0);
        let mut oldest = draw(Place::Oldest { rows: 2, skip: 5 }, (4, 40), &keys, (0.0, 1));
        let mut take = |group| oldest.draw(&mut rng, &keys, (of(group), 0), 40, 0);
        assert_eq!([take(1), take(1), take(2), take(1)], [15, 17, 25, 19]);
        // None is left of group 1: the newest, again and again.
        assert_eq!([take(1), take(1)], [19, 19]);
        let mut newest = draw(Place::Newest { rows: 3 }, (4, 40), &keys, (0.0, 1));
        assert_eq!(newest.draw(&mut rng, &keys, (of(2), 0), 40, 0), 27);
        // Five rows of each group have been inserted: the newest three of group 2 are among them.
        let first = newest.draw(&mut rng, &keys, (of(2), 0), 60, 0);
        assert_eq!(first, keys.record_at(2, 12));
        assert!(first >= 40);
    }
}
