//! The sessions that clients may resume: so many, and each for so long.

use rustls::server::StoresServerSessions;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Shared by all connections; one short lock per handshake.
#[derive(Debug)]
pub(super) struct Sessions {
    kept: Mutex<Kept>,
    most: usize,
    lifetime: Duration,
}

#[derive(Debug, Default)]
struct Kept {
    by_key: HashMap<Vec<u8>, (Vec<u8>, Instant)>,
    /// Keys in the order in which they came; some may be gone from the map.
    order: VecDeque<Vec<u8>>,
}

impl Sessions {
    /// At most `most` sessions (0: any number that fits the list), each for `lifetime`.
    pub(super) fn new(most: usize, lifetime: Duration) -> Self {
        let most = if most == 0 { SESSIONS_MAX } else { most.min(SESSIONS_MAX) };
        Self { kept: Mutex::default(), most, lifetime }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        let mut kept = self.kept();
        let kept = &mut *kept;
        while kept.order.len() >= self.most {
            let Some(oldest) = kept.order.pop_front() else { break };
            kept.by_key.remove(&oldest);
        }
        let deadline = Instant::now() + self.lifetime;
        if kept.by_key.insert(key.clone(), (value, deadline)).is_none() {
            kept.order.push_back(key);
        }
        true
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        let kept = self.kept();
        let (value, deadline) = kept.by_key.get(key)?;
        (Instant::now() < *deadline).then(|| value.clone())
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        let (value, deadline) = self.kept().by_key.remove(key)?;
        (Instant::now() < deadline).then_some(value)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

/// More than this many sessions are never kept: each takes about a kilobyte.
const SESSIONS_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_sessions_make_room_and_old_ones_are_not_given_out() {
        let sessions = Sessions::new(2, Duration::from_secs(3600));
        for key in [b"a", b"b", b"c"] {
            assert!(sessions.put(key.to_vec(), b"state".to_vec()));
        }
        assert_eq!(sessions.get(b"a"), None);
        assert_eq!(sessions.take(b"b"), Some(b"state".to_vec()));
        assert_eq!(sessions.take(b"b"), None);
        assert_eq!(sessions.get(b"c"), Some(b"state".to_vec()));
        let sessions = Sessions::new(2, Duration::ZERO);
        assert!(sessions.put(b"a".to_vec(), b"state".to_vec()));
        assert_eq!(sessions.get(b"a"), None);
    }
}
