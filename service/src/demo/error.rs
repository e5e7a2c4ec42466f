//! What can go wrong with a demo run, as opposed to what the product may do wrong in it.

/// A failed step of the demo.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DemoError {
    /// A child process could not be started or ended by itself.
    #[error("the child process {name} {what}")]
    Child {
        /// Which.
        name: &'static str,
        /// What it did.
        what: String,
    },
    /// The simulated Exchange refused a change.
    #[error("the simulated Exchange cannot do {what}")]
    Exchange {
        /// What was asked, and its answer.
        what: String,
        /// Why.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// A simulator's admin path did not answer as expected.
    #[error("the simulator's {path} did not answer as expected: {reason}")]
    Admin {
        /// Which path.
        path: String,
        /// What happened.
        reason: String,
    },
    /// A file or folder could not be used.
    #[error("cannot use {path}")]
    File {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The embedded database could not be used.
    #[error("the demo's database cannot be used")]
    Database(#[from] store::StoreError),
    /// Somebody pressed Ctrl-C.
    #[error("interrupted")]
    Interrupted,
}
