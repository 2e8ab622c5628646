//! What keeps ordinary commands from being admitted: one word that the hot path looks at, and nobody asks further while it is zero.

use std::sync::atomic::{AtomicU32, Ordering};

/// A state of the server in which some commands are refused. Each has a guard in `admission`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Alert {
    /// The last snapshot in the background failed.
    SnapshotFailed = 1 << 0,
    /// The log cannot be written.
    LogFailed = 1 << 1,
    /// Data is being loaded.
    Loading = 1 << 2,
    /// A script runs for longer than it should.
    ScriptOverdue = 1 << 3,
    /// There are fewer replicas than writes need.
    FewReplicas = 1 << 4,
    /// The server follows another, or has just ceased to.
    Follows = 1 << 5,
}

/// The alerts that are on.
#[derive(Default, Debug)]
pub struct Alerts(AtomicU32);

impl Alerts {
    /// Whether all is as usual.
    #[inline]
    pub fn none(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    pub fn is_on(&self, alert: Alert) -> bool {
        self.0.load(Ordering::Relaxed) & alert as u32 != 0
    }

    pub fn set(&self, alert: Alert, on: bool) {
        if on {
            self.0.fetch_or(alert as u32, Ordering::SeqCst);
        } else {
            self.0.fetch_and(!(alert as u32), Ordering::SeqCst);
        }
    }
}
