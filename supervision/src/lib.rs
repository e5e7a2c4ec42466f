//! Supervision trees on actix, without domain knowledge.
#![forbid(unsafe_code)]

#[cfg(panic = "abort")]
compile_error!("supervision restarts children that panicked: build with panic = \"unwind\"");

pub mod backoff;
pub mod child;
pub mod core;
pub mod error;
pub mod exit;
pub mod health;
pub mod intensity;
pub mod panics;
pub mod strategy;
pub mod supervisor;
pub mod tree;

pub use child::context::ChildContext;
pub use child::reference::ChildRef;
pub use child::{ChildId, ChildSpec, Stop};
pub use error::{ChildError, SupervisorError};
pub use exit::{ExitReason, Outcome};
pub use health::{ChildState, TreeStatus};
pub use intensity::Intensity;
pub use strategy::{Restart, Strategy};
pub use supervisor::{SupervisorRef, SupervisorSpec};
pub use tree::{Ended, Tree};
