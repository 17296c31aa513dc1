//! TPC-C: an order-entry system of nine tables and five transactions (TPC Benchmark C, revision 5.11).
//!
//! Rows and their bytes are those of clause 1.2.1 with populations of clause 4.3.3, key choices those of 2.1.6 and 2.4 to 2.8, the
//! mix that of 5.2.3. Payment and Order-Status find a customer by last name in 60 of 100 cases, and are two operations each
//! therefore; the three rows of a name are read by their keys.
//!
//! Not modelled: New-Orders that are rolled back · terminals bound to a warehouse (each transaction draws one) · bad credit ·
//! a district's own order rows (districts get orders in turn) · a customer's orders of the run (Order-Status reads the loaded one)
//! · think times by transaction (their mean is).

use serde_json::{Value, json};

use super::super::OperationType::{Delete, Insert, Select, Update};
use super::super::{Distribution, InsertOrder, Operation, Table, Workload};
use super::{Line, config, table, transaction};

const DISTRICTS: u64 = 10;
const CUSTOMERS: u64 = 3_000;
const ITEMS: u64 = 100_000;
/// The newest loaded orders of a district are not delivered yet.
const UNDELIVERED: u64 = 900;
/// Terminals of a warehouse.
const TERMINALS: u32 = 10;
/// Keying time (18, 3, 2, 2 and 2 s) and mean think time (12, 12, 10, 5 and 5 s) of clause 5.2.5.7, by the mix.
const PAUSE_MS: f64 = 20_990.0;
/// The constants C of NURand, which clause 2.1.6.1 has chosen once for all.
const C_ITEM: u64 = 5_987;
const C_CUSTOMER: u64 = 259;
const C_NAME: u64 = 123;

pub(crate) fn tpcc(variables: &[u64]) -> Workload {
    let &[warehouses, pauses_percent] = variables else { return tpcc(&[1, 0]) };
    let mut config = config(10_000, TERMINALS * warehouses as u32, Distribution::Uniform);
    config.warmup_operations = Some(2_000);
    config.think_time_ms = PAUSE_MS * pauses_percent as f64 / 100.0;
    let operations = [
        new_order(),
        payment("payment", 17.2, by_id(of_any_warehouse())),
        payment("payment by name", 25.8, by_name(of_any_warehouse())),
        order_status("order status", 1.6, by_id(of_some_district(warehouses))),
        order_status("order status by name", 2.4, by_name(of_some_district(warehouses))),
        delivery(warehouses),
        stock_level(),
    ];
    Workload { operations: operations.concat(), tables: tables(warehouses), config }
}

fn tables(warehouses: u64) -> Vec<Table> {
    let districts = warehouses * DISTRICTS;
    // Keys are made of integers of four bytes each.
    let of_districts = |name, rows, record_bytes, key_bytes, run| Table {
        insert_order: InsertOrder::Grouped { groups: districts as u32, run },
        ..table(name, districts * rows, record_bytes, key_bytes)
    };
    vec![
        table("warehouse", warehouses, 89, 4),
        table("district", districts, 95, 8),
        table("customer", districts * CUSTOMERS, 655, 12),
        table("history", districts * CUSTOMERS, 46, 8),
        of_districts("orders", CUSTOMERS, 24, 12, 1),
        of_districts("new_order", UNDELIVERED, 8, 8, 1),
        of_districts("order_line", CUSTOMERS * 10, 54, 16, 10),
        table("stock", warehouses * ITEMS, 306, 8),
        table("item", ITEMS, 82, 4),
    ]
}

fn new_order() -> Vec<Operation> {
    let lines = json!({"min": 5, "max": 15});
    let item = json!({"distribution": "nurand", "a": 8_191, "c": C_ITEM});
    let stock = json!({"of": "warehouse", "at": "item", "remote_fraction": 0.01});
    let statements = vec![
        (
            Select,
            "SELECT w_tax FROM warehouse WHERE w_id = ?",
            json!({"name": "warehouse", "key_column": "w_id"}),
        ),
        (
            Select,
            "SELECT d_tax, d_next_o_id FROM district WHERE d_w_id = ? AND d_id = ?",
            json!({"name": "district", "key_column": "d_id", "key": {"of": "warehouse"}}),
        ),
        (
            Update,
            "UPDATE district SET d_next_o_id = d_next_o_id + 1 WHERE d_w_id = ? AND d_id = ?",
            json!({"key_column": "d_id", "key": {"of": "district"}, "changed_bytes": 4}),
        ),
        by_id(of_district()),
        (Insert, "INSERT INTO orders VALUES (?)", json!({})),
        (Insert, "INSERT INTO new_order VALUES (?)", json!({})),
        (
            Select,
            "SELECT i_price, i_name, i_data FROM item WHERE i_id = ?",
            json!({"name": "item", "key_column": "i_id", "key": item, "repeat": lines}),
        ),
        (
            Select,
            "SELECT s_quantity, s_dist_xx, s_data FROM stock WHERE s_w_id = ? AND s_i_id = ?",
            json!({"name": "stock", "key_column": "s_i_id", "key": stock, "repeat": lines}),
        ),
        (
            Update,
            "UPDATE stock SET s_quantity = ?, s_ytd = ?, s_order_cnt = ?, s_remote_cnt = ? WHERE s_w_id = ? AND s_i_id = ?",
            json!({"key_column": "s_i_id", "key": {"of": "stock"}, "changed_bytes": 16, "repeat": lines}),
        ),
        (Insert, "INSERT INTO order_line VALUES (?)", json!({"repeat": lines})),
    ];
    transaction("new order", 45.0, statements)
}

/// The customers of the district that was read.
fn of_district() -> Value {
    json!({"of": "district"})
}

/// The same, or in 15 of 100 cases those of a district of another warehouse (clause 2.5.1.2).
fn of_any_warehouse() -> Value {
    json!({"of": "district", "remote_fraction": 0.15, "remote_group": DISTRICTS})
}

/// The customers of a district that nothing has read.
fn of_some_district(warehouses: u64) -> Value {
    json!({"parts": warehouses * DISTRICTS})
}

/// The statement that reads one of these customers by number.
fn by_id(mut of: Value) -> Line {
    of["distribution"] = json!("nurand");
    of["a"] = json!(1_023);
    of["c"] = json!(C_CUSTOMER);
    (
        Select,
        "SELECT * FROM customer WHERE c_w_id = ? AND c_d_id = ? AND c_id = ?",
        json!({"name": "customer", "key_column": "c_id", "key": of}),
    )
}

/// The statement that reads the three of a last name, of which a district has a thousand.
fn by_name(mut of: Value) -> Line {
    of["distribution"] = json!("nurand");
    of["a"] = json!(255);
    of["c"] = json!(C_NAME);
    of["first"] = json!(0);
    of["values"] = json!(1_000);
    let parameters =
        json!({"name": "customer", "table": "customer", "access": "point", "key": of, "repeat": 3});
    (
        Select,
        "SELECT * FROM customer WHERE c_w_id = ? AND c_d_id = ? AND c_last = ? ORDER BY c_first",
        parameters,
    )
}

fn payment(name: &str, weight: f64, customer: Line) -> Vec<Operation> {
    let statements = vec![
        (
            Select,
            "SELECT w_name, w_street_1, w_city FROM warehouse WHERE w_id = ?",
            json!({"name": "warehouse", "key_column": "w_id"}),
        ),
        (
            Update,
            "UPDATE warehouse SET w_ytd = w_ytd + ? WHERE w_id = ?",
            json!({"key_column": "w_id", "key": "previous", "changed_bytes": 8}),
        ),
        (
            Select,
            "SELECT d_name, d_street_1, d_city FROM district WHERE d_w_id = ? AND d_id = ?",
            json!({"name": "district", "key_column": "d_id", "key": {"of": "warehouse"}}),
        ),
        (
            Update,
            "UPDATE district SET d_ytd = d_ytd + ? WHERE d_w_id = ? AND d_id = ?",
            json!({"key_column": "d_id", "key": "previous", "changed_bytes": 8}),
        ),
        customer,
        (
            Update,
            "UPDATE customer SET c_balance = ?, c_ytd_payment = ?, c_payment_cnt = ? WHERE c_w_id = ? AND c_d_id = ? AND c_id = ?",
            json!({"key_column": "c_id", "key": "previous", "changed_bytes": 20}),
        ),
        (Insert, "INSERT INTO history VALUES (?)", json!({})),
    ];
    transaction(name, weight, statements)
}

fn order_status(name: &str, weight: f64, customer: Line) -> Vec<Operation> {
    let order = json!({"name": "order", "table": "orders", "access": "point", "key": {"of": "customer"}});
    let lines = json!({
        "table": "order_line", "access": "range", "rows": {"min": 5, "max": 15},
        "key": {"of": "order", "distribution": "first"},
    });
    let statements = vec![
        customer,
        (
            Select,
            "SELECT * FROM orders WHERE o_w_id = ? AND o_d_id = ? AND o_c_id = ? ORDER BY o_id DESC LIMIT 1",
            order,
        ),
        (Select, "SELECT * FROM order_line WHERE ol_w_id = ? AND ol_d_id = ? AND ol_o_id = ?", lines),
    ];
    transaction(name, weight, statements)
}

/// The oldest new order of each district of a warehouse.
fn delivery(warehouses: u64) -> Vec<Operation> {
    let oldest = json!({"parts": warehouses * DISTRICTS, "in_turn": true, "distribution": "oldest"});
    let order = json!({
        "of": "new order", "shared_by": UNDELIVERED, "distribution": "oldest", "skip": CUSTOMERS - UNDELIVERED,
    });
    let customer = json!({"of": "new order", "shared_by": UNDELIVERED});
    let districts = |mut parameters: Value| {
        parameters["repeat"] = json!(DISTRICTS);
        parameters
    };
    let lines = || {
        districts(json!({
            "table": "order_line", "access": "range", "rows": {"min": 5, "max": 15},
            "key": {"of": "order", "distribution": "first"},
        }))
    };
    let statements = vec![
        (
            Select,
            "SELECT no_o_id FROM new_order WHERE no_w_id = ? AND no_d_id = ? ORDER BY no_o_id LIMIT 1",
            districts(json!({"name": "new order", "table": "new_order", "access": "point", "key": oldest})),
        ),
        (
            Delete,
            "DELETE FROM new_order WHERE no_w_id = ? AND no_d_id = ? AND no_o_id = ?",
            districts(json!({"key_column": "no_o_id", "key": "previous"})),
        ),
        (
            Select,
            "SELECT o_c_id FROM orders WHERE o_w_id = ? AND o_d_id = ? AND o_id = ?",
            districts(json!({"name": "order", "key_column": "o_id", "key": order})),
        ),
        (
            Update,
            "UPDATE orders SET o_carrier_id = ? WHERE o_w_id = ? AND o_d_id = ? AND o_id = ?",
            districts(json!({"key_column": "o_id", "key": "previous", "changed_bytes": 4})),
        ),
        (
            Update,
            "UPDATE order_line SET ol_delivery_d = ? WHERE ol_w_id = ? AND ol_d_id = ? AND ol_o_id = ?",
            {
                let mut changes = lines();
                changes["changed_bytes"] = json!(8);
                changes
            },
        ),
        (
            Select,
            "SELECT SUM(ol_amount) FROM order_line WHERE ol_w_id = ? AND ol_d_id = ? AND ol_o_id = ?",
            lines(),
        ),
        (
            Update,
            "UPDATE customer SET c_balance = ?, c_delivery_cnt = ? WHERE c_w_id = ? AND c_d_id = ? AND c_id = ?",
            districts(json!({"key_column": "c_id", "key": customer, "changed_bytes": 12})),
        ),
    ];
    transaction("delivery", 4.0, statements)
}

/// The items of a district's last twenty orders that are short.
fn stock_level() -> Vec<Operation> {
    const LINES: u64 = 20 * 10;
    let items = json!({
        "of": "district", "shared_by": DISTRICTS, "distribution": "nurand", "a": 8_191, "c": C_ITEM,
    });
    let statements = vec![
        (
            Select,
            "SELECT d_next_o_id FROM district WHERE d_w_id = ? AND d_id = ?",
            json!({"name": "district", "key_column": "d_id"}),
        ),
        (
            Select,
            "SELECT ol_i_id FROM order_line WHERE ol_w_id = ? AND ol_d_id = ? AND ol_o_id >= ? AND ol_o_id < ?",
            json!({
                "key_column": "ol_o_id", "rows": LINES,
                "key": {"of": "district", "distribution": "newest", "rows": LINES},
            }),
        ),
        (
            Select,
            "SELECT s_i_id FROM stock WHERE s_w_id = ? AND s_i_id = ? AND s_quantity < ?",
            json!({"key_column": "s_i_id", "key": items, "repeat": LINES}),
        ),
    ];
    transaction("stock level", 4.0, statements)
}
