//! What runs here, and on what: so that a dump can be read on another machine, and two
//! dumps be compared only where that makes sense.

use std::fmt;
use std::fs;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::TelemetryHandle;

/// The program, its configuration and the machine.
#[derive(Debug, Clone, Serialize)]
pub struct About {
    /// The version of torc-server.
    pub version: &'static str,
    /// The commit it was built from; `unknown` if the build did not know.
    pub git_hash: &'static str,
    /// `release`, or `debug` where times mean little.
    pub build: &'static str,
    /// What it was started with, without secrets; null in a server inside of another program.
    pub configuration: Value,
    /// The processor's name.
    pub cpu_model: String,
    /// Processors that this process may use.
    pub cpus: usize,
    /// The system and its kernel's release.
    pub kernel: String,
    /// The file system that the database lies on, such as `ext4` or `nfs4`.
    pub database_file_system: String,
    /// The version of SQLite; empty where it was not told.
    pub sqlite: String,
}

const UNKNOWN: &str = "unknown";

impl About {
    /// Looks at the machine. `database` is the directory of the database, none for one in
    /// memory.
    pub fn new(configuration: Value, database: Option<&Path>, sqlite: &str) -> Self {
        let uname = rustix::system::uname();
        let (system, release) = (uname.sysname(), uname.release());
        Self {
            version: env!("CARGO_PKG_VERSION"),
            git_hash: option_env!("TORC_GIT_HASH").unwrap_or(UNKNOWN),
            build: if cfg!(debug_assertions) {
                "debug"
            } else {
                "release"
            },
            configuration,
            cpu_model: cpu_model().unwrap_or_else(|| UNKNOWN.to_owned()),
            cpus: std::thread::available_parallelism().map_or(0, usize::from),
            kernel: format!("{} {}", system.to_string_lossy(), release.to_string_lossy()),
            database_file_system: match database {
                Some(dir) => file_system(dir).unwrap_or_else(|| UNKNOWN.to_owned()),
                None => "memory".to_owned(),
            },
            sqlite: sqlite.to_owned(),
        }
    }
}

impl TelemetryHandle {
    /// Says once what runs here, for reports and dumps.
    pub fn describe(&self, about: About) {
        // A second time would tell the same.
        let _ = self.0.about.set(about);
    }

    /// What runs here.
    pub fn about(&self) -> &About {
        let unsaid = || About::new(Value::Null, None, "");
        self.0.about.get_or_init(unsaid)
    }
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "torc-server {} ({}, {} build), SQLite {}, database on {}, {}, {} x {}",
            self.version,
            self.git_hash,
            self.build,
            self.sqlite,
            self.database_file_system,
            self.kernel,
            self.cpus,
            self.cpu_model
        )
    }
}

/// The name of the first processor, where the system tells it as Linux does.
fn cpu_model() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The type of the file system that a directory lies on: that of the longest mount point
/// above it, the last one where several lie on top of each other.
fn file_system(dir: &Path) -> Option<String> {
    let dir = fs::canonicalize(dir).ok()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    type_of_mount(&dir, &mounts)
}

fn type_of_mount(dir: &Path, mounts: &str) -> Option<String> {
    let mut best: Option<(usize, &str)> = None;
    for line in mounts.lines() {
        let Some((place, kind)) = line.split_once(" - ") else {
            continue;
        };
        let point = place.split(' ').nth(4)?.replace("\\040", " ");
        let kind = kind.split(' ').next()?;
        if dir.starts_with(&point) && best.is_none_or(|(length, _)| point.len() >= length) {
            best = Some((point.len(), kind));
        }
    }
    best.map(|(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_mount_point_counts() {
        let mounts = "22 1 0:21 / / rw - overlay overlay rw\n\
                      23 22 0:22 / /data rw shared:1 - nfs4 host:/x rw\n\
                      24 23 0:23 / /data/my\\040disk rw - xfs /dev/sdb rw\n";
        for (dir, kind) in [
            ("/home", "overlay"),
            ("/database", "overlay"),
            ("/data/a", "nfs4"),
            ("/data/my disk/a", "xfs"),
        ] {
            assert_eq!(type_of_mount(Path::new(dir), mounts).as_deref(), Some(kind));
        }
    }
}
