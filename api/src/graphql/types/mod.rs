//! The objects of the API, one file a noun. A field's documentation here is its documentation in the schema.

pub mod block_config;
pub mod block_type;
pub mod branch;
pub mod canvas;
pub mod canvas_diff;
pub mod collaborator;
mod column;
pub mod comparison;
pub mod design;
pub mod design_version;
pub mod estimate;
pub mod event;
pub mod export;
pub mod job;
pub mod job_list;
pub mod metric;
pub mod node;
pub mod plan;
pub mod rate_limit;
pub mod run;
pub mod run_list;
pub mod session;
pub mod template;
pub mod user;
pub mod workload;
