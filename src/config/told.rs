//! The configuration as dumps tell it. What is told is listed here one by one, so that a
//! flag that holds a secret is left out unless somebody adds it.

use serde_json::{Value, json};

use super::telemetry::{LogRotation, Switch};
use super::{Durability, RunArgs};

impl RunArgs {
    /// What the server was started with, as JSON.
    pub fn told(&self) -> Value {
        let (telemetry, access) = (&self.telemetry, &self.access);
        let slow: Vec<Value> = telemetry
            .slow
            .iter()
            .map(|rule| {
                let ms = rule.from.map(|from| from.as_secs_f64() * 1e3);
                json!({"operation": rule.operation, "from_ms": ms})
            })
            .collect();
        json!({
            "host": self.host,
            "port": self.port,
            "threads": self.worker_threads(),
            "database": self.database_path().ok().flatten(),
            "durability": match self.durability {
                Durability::Power => "power",
                Durability::Process => "process",
            },
            "write_queue": self.write_queue,
            "completion_check_interval_s": self.completion_check_interval_secs.as_secs_f64(),
            "max_request_body_mb": self.max_request_body_mb,
            "snapshot_path": self.snapshot_path,
            "snapshot_keep": self.snapshot_keep,
            "https": self.tls.https,
            "tls_cert": self.tls.tls_cert,
            "tls_key": self.tls.tls_key,
            "auth_file": access.auth_file,
            "require_auth": access.require_auth,
            "credential_cache_ttl_s": access.credential_cache_ttl_secs,
            "enforce_access_control": access.enforce_access_control,
            "admin_users": access.admins(),
            "log_level": telemetry.log_level,
            "log_dir": telemetry.log_dir,
            "json_logs": telemetry.json_logs,
            "log_rotation": match telemetry.log_rotation {
                LogRotation::Hourly => "hourly",
                LogRotation::Daily => "daily",
                LogRotation::Never => "never",
            },
            "log_max_files": telemetry.log_max_files,
            "log_max_total_size": telemetry.log_max_total_size.0,
            "console": (!telemetry.no_console).then_some(telemetry.console_bind),
            "timing": telemetry.timing == Switch::On,
            "flight_recorder": telemetry.flight_recorder.0,
            "slow": slow,
            "dump_max_total_size": telemetry.dump_max_total_size.0,
        })
    }
}
