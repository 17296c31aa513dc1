//! SmallBank: accounts with a savings and a checking balance (Alomari, Cahill, Fekete and Röhm, "The Cost of Serializability on
//! Platforms That Use Snapshot Isolation", ICDE 2008), with the sixth transaction, the mix and the statements of H-Store's version.
//!
//! Nine of ten draws go to 4 % of the accounts, as in FaSST (Kalia et al., OSDI 2016). Rows are as wide as their columns: numbers of
//! eight bytes and a name of 64.
//!
//! Not modelled: overdrafts and unknown accounts that abort.

use serde_json::{Value, json};

use super::super::OperationType::{Select, Update};
use super::super::{Distribution, Workload};
use super::{Line, config, table, transaction};

const HOT_ACCOUNTS: f64 = 0.04;
const HOT_DRAWS: f64 = 0.9;

pub(crate) fn smallbank(variables: &[u64]) -> Workload {
    let &[accounts] = variables else { return smallbank(&[100_000]) };
    let mut config = config(50_000, 16, Distribution::Hotspot);
    config.hotspot_data_fraction = Some(HOT_ACCOUNTS);
    config.hotspot_operation_fraction = Some(HOT_DRAWS);
    config.warmup_operations = Some(20_000);
    let operations = [
        transaction(
            "amalgamate",
            15.0,
            vec![
                account("first"),
                account("second"),
                savings("first"),
                checking("second"),
                change_checking("first"),
                change_savings("second"),
            ],
        ),
        transaction("balance", 15.0, vec![account("first"), savings("first"), checking("first")]),
        transaction("deposit checking", 15.0, vec![account("first"), change_checking("first")]),
        transaction(
            "send payment",
            25.0,
            vec![
                account("first"),
                account("second"),
                checking("first"),
                change_checking("first"),
                change_checking("second"),
            ],
        ),
        transaction(
            "transact savings",
            15.0,
            vec![account("first"), savings("first"), change_savings("first")],
        ),
        transaction(
            "write check",
            15.0,
            vec![account("first"), savings("first"), checking("first"), change_checking("first")],
        ),
    ];
    let tables = vec![
        table("accounts", accounts, 72, 8),
        table("savings", accounts, 16, 8),
        table("checking", accounts, 16, 8),
    ];
    Workload { operations: operations.concat(), tables, config }
}

fn account(name: &str) -> Line {
    (Select, "SELECT * FROM accounts WHERE custid = ?", json!({"name": name, "key_column": "custid"}))
}

fn of(account: &str) -> Value {
    json!({"key_column": "custid", "key": {"of": account}})
}

fn changing(account: &str) -> Value {
    json!({"key_column": "custid", "key": {"of": account}, "changed_bytes": 8})
}

fn savings(account: &str) -> Line {
    (Select, "SELECT bal FROM savings WHERE custid = ?", of(account))
}

fn checking(account: &str) -> Line {
    (Select, "SELECT bal FROM checking WHERE custid = ?", of(account))
}

fn change_savings(account: &str) -> Line {
    (Update, "UPDATE savings SET bal = bal + ? WHERE custid = ?", changing(account))
}

fn change_checking(account: &str) -> Line {
    (Update, "UPDATE checking SET bal = bal + ? WHERE custid = ?", changing(account))
}
