//! TATP: the home location register of a mobile network (IBM Software Group, "Telecommunication Application Transaction Processing
//! Benchmark Description", 1.0): four tables, seven short transactions, subscribers chosen by its non-uniform law.
//!
//! A subscriber has 2.5 access rows and 2.5 facilities on average, a facility 1.5 call forwardings. Rows are as wide as their
//! columns: numbers as narrow as their values allow, and texts.
//!
//! Not modelled: requests for rows that are not there, such as 37.5 % of Get-Access-Data (those of deleted call forwardings are) ·
//! the index on subscribers' numbers (they are found by their key).

use serde_json::{Value, json};

use super::super::OperationType::{Delete, Insert, Select, Update};
use super::super::{Distribution, InsertOrder, Table, Workload};
use super::{config, table, transaction};

pub(crate) fn tatp(variables: &[u64]) -> Workload {
    let &[subscribers] = variables else { return tatp(&[100_000]) };
    let mut config = config(100_000, 16, Distribution::Uniform);
    config.warmup_operations = Some(50_000);
    let someone = || {
        let parameters = json!({"name": "subscriber", "key_column": "s_id", "key": subscriber(subscribers)});
        (Select, "SELECT * FROM subscriber WHERE s_id = ?", parameters)
    };
    // Any of the rows that belong to a subscriber.
    let row_of_someone = |mut parameters: Value| {
        parameters["key_column"] = json!("s_id");
        parameters["key"] = subscriber(subscribers);
        parameters["key"]["values"] = json!(subscribers);
        parameters
    };
    let by_number = || {
        let parameters = json!({
            "name": "subscriber", "table": "subscriber", "access": "point", "key": subscriber(subscribers),
        });
        (Select, "SELECT s_id FROM subscriber WHERE sub_nbr = ?", parameters)
    };
    let operations = [
        transaction("get subscriber data", 35.0, vec![someone()]),
        transaction(
            "get new destination",
            10.0,
            vec![
                (
                    Select,
                    "SELECT is_active FROM special_facility WHERE s_id = ? AND sf_type = ?",
                    row_of_someone(json!({"name": "facility"})),
                ),
                (
                    Select,
                    "SELECT numberx FROM call_forwarding WHERE s_id = ? AND sf_type = ? AND start_time <= ?",
                    json!({
                        "table": "call_forwarding", "access": "range", "rows": {"min": 1, "max": 2},
                        "key": {"of": "facility", "distribution": "first"},
                    }),
                ),
            ],
        ),
        transaction(
            "get access data",
            35.0,
            vec![(
                Select,
                "SELECT data1, data2, data3, data4 FROM access_info WHERE s_id = ? AND ai_type = ?",
                row_of_someone(json!({})),
            )],
        ),
        transaction(
            "update subscriber data",
            2.0,
            vec![
                (
                    Update,
                    "UPDATE subscriber SET bit_1 = ? WHERE s_id = ?",
                    json!({
                        "name": "subscriber", "key_column": "s_id", "key": subscriber(subscribers),
                        "changed_bytes": 1,
                    }),
                ),
                (
                    Update,
                    "UPDATE special_facility SET data_a = ? WHERE s_id = ? AND sf_type = ?",
                    json!({"key_column": "s_id", "key": {"of": "subscriber"}, "changed_bytes": 2}),
                ),
            ],
        ),
        transaction(
            "update location",
            14.0,
            vec![(
                Update,
                "UPDATE subscriber SET vlr_location = ? WHERE sub_nbr = ?",
                json!({
                    "table": "subscriber", "access": "point", "key": subscriber(subscribers), "changed_bytes": 4,
                }),
            )],
        ),
        transaction(
            "insert call forwarding",
            2.0,
            vec![
                by_number(),
                (
                    Select,
                    "SELECT sf_type FROM special_facility WHERE s_id = ?",
                    json!({
                        "table": "special_facility", "access": "range", "rows": {"min": 1, "max": 4},
                        "key": {"of": "subscriber", "distribution": "first"},
                    }),
                ),
                (Insert, "INSERT INTO call_forwarding VALUES (?)", json!({})),
            ],
        ),
        transaction(
            "delete call forwarding",
            2.0,
            vec![
                by_number(),
                (
                    Delete,
                    "DELETE FROM call_forwarding WHERE s_id = ? AND sf_type = ? AND start_time = ?",
                    json!({"key_column": "s_id", "key": {"of": "subscriber"}}),
                ),
            ],
        ),
    ];
    let facilities = subscribers * 5 / 2;
    let tables = vec![
        table("subscriber", subscribers, 88, 4),
        table("access_info", facilities, 20, 5),
        table("special_facility", facilities, 16, 5),
        Table {
            insert_order: InsertOrder::Grouped { groups: subscribers as u32, run: 1 },
            ..table("call_forwarding", facilities * 3 / 2, 24, 6)
        },
    ];
    Workload { operations: operations.concat(), tables, config }
}

/// The law of clause 2.4 (NURand with C = 0), whose A grows with the population.
fn subscriber(subscribers: u64) -> Value {
    let a = match subscribers {
        ..=1_000_000 => 65_535,
        1_000_001..=10_000_000 => 1_048_575,
        _ => 2_097_151,
    };
    json!({"distribution": "nurand", "a": a, "c": 0})
}
