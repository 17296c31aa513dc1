//! What each tier may do: the one place for these limits.

use entity::status::{Priority, Tier};

/// Limits of a tier.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    pub tier: Tier,
    /// The lane its jobs wait in.
    pub priority: Priority,
    /// Operations of one job.
    pub max_operations: u64,
    pub max_timeout_seconds: i32,
    pub memory_limit_bytes: i64,
    /// Jobs that run at a time; the others wait.
    pub max_concurrent_jobs: i32,
    /// Designs that are not archived; none is unlimited.
    pub max_designs: Option<u64>,
    /// Bytes of stored events; none is unlimited.
    pub event_storage_bytes: Option<u64>,
}

/// The longest timeout a job has when it asks for none.
const DEFAULT_TIMEOUT_SECONDS: i32 = 60;

impl Plan {
    pub fn of(tier: Tier) -> Self {
        match tier {
            Tier::Free => Self {
                tier,
                priority: Priority::Normal,
                max_operations: 100_000,
                max_timeout_seconds: 10,
                memory_limit_bytes: 256 << 20,
                max_concurrent_jobs: 1,
                max_designs: Some(100),
                event_storage_bytes: Some(100 << 20),
            },
            Tier::Premium => Self {
                tier,
                priority: Priority::High,
                max_operations: 100_000_000,
                max_timeout_seconds: 600,
                memory_limit_bytes: 2 << 30,
                max_concurrent_jobs: 8,
                max_designs: None,
                event_storage_bytes: None,
            },
        }
    }

    /// The timeout of a job that asks for none.
    pub fn default_timeout_seconds(&self) -> i32 {
        self.max_timeout_seconds.min(DEFAULT_TIMEOUT_SECONDS)
    }
}
