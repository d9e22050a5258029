//! Resources of our own in tokio-console.
/// A resource.
#[derive(Debug)]
pub struct Resource;
impl Resource {
    /// New.
    pub fn new(_concrete_type: &'static str, _kind: &'static str) -> Self {
        Self
    }
    /// Waits.
    pub fn wait<F: Future>(&self, _op: &'static str, future: F) -> impl Future<Output = F::Output> {
        future
    }
}
