//! The tables as entities: one file per table, named like it.
//!
//! The tables that nothing reads yet have no entity; `migration` creates them all.

#![expect(
    missing_docs,
    reason = "columns bear the names of the contract, and the derive generates items of its own"
)]

pub mod access_group;
pub mod admin_audit_log;
pub mod async_handle;
pub mod compute_node;
pub mod event;
pub mod failure_handler;
pub mod file;
pub mod job;
pub mod job_depends_on;
pub mod job_input_file;
pub mod job_input_user_data;
pub mod job_output_file;
pub mod job_output_user_data;
pub mod local_scheduler;
pub mod remote_worker;
pub mod resource_requirements;
pub mod result;
pub mod ro_crate_entity;
pub mod scheduled_compute_node;
pub mod slurm_scheduler;
pub mod slurm_stats;
pub mod user_data;
pub mod user_group_membership;
pub mod workflow;
pub mod workflow_access_group;
pub mod workflow_action;
pub mod workflow_result;
