//! What the tests stand on: a server in the test's process, and the real binaries.

pub mod api;
pub mod browser;
pub mod certificate;
pub mod faults;
pub mod http;
pub mod loaded;
pub mod pages;
pub mod process;
pub mod server;
pub mod terminal;
pub mod user;

/// The directory of the repository.
pub fn root() -> std::path::PathBuf {
    std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
