//! The clock of the rows.

use chrono::{DateTime, SubsecRound, Utc};

/// The present instant in whole microseconds: what PostgreSQL stores, so that a row reads back as it was written and a
/// cursor made from it finds its place.
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}
