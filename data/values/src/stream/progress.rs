//! How far a group has read, counted in entries, and how many are left: XINFO's `entries-read` and `lag`.
//!
//! A group counts what it reads. The count is lost where entries are skipped (XGROUP SETID) or were deleted ahead of it; it can be
//! told anew at the stream's ends, where nothing is missing in between.

use super::{Group, Stream, StreamId};

impl Stream {
    /// How many entries were ever added up to `id`, itself included; `None` when deletions or trimming keep one from knowing.
    pub fn entries_up_to(&self, id: StreamId) -> Option<u64> {
        if self.entries_added == 0 {
            return Some(0);
        }
        if self.len == 0 && id <= self.last_id {
            return Some(self.entries_added);
        }
        if !id.is_zero() && id < self.max_deleted_id {
            return None;
        }
        if id == self.last_id {
            return Some(self.entries_added);
        }
        if id > self.last_id {
            return None;
        }
        if self.max_deleted_id.is_zero() || self.max_deleted_id < self.first_id {
            let trimmed = self.entries_added.saturating_sub(self.len as u64);
            if id < self.first_id {
                return Some(trimmed);
            }
            if id == self.first_id {
                return Some(trimmed + 1);
            }
        }
        None
    }

    /// Whether an entry from `id` on was deleted while others around it stayed.
    fn is_missing_entries_from(&self, id: StreamId) -> bool {
        self.len > 0 && !self.max_deleted_id.is_zero() && id <= self.max_deleted_id
    }

    /// How many entries the group has yet to read; `None` when that cannot be told.
    pub fn lag(&self, group: &Group) -> Option<u64> {
        if self.len == 0 {
            return Some(0);
        }
        if group.last_id < self.first_id && self.max_deleted_id < self.first_id {
            return Some(self.len as u64);
        }
        match group.entries_read {
            Some(read) if !self.is_missing_entries_from(group.last_id) => Some(self.entries_added.wrapping_sub(read)),
            _ => Some(self.entries_added - self.entries_up_to(group.last_id)?),
        }
    }

    /// The count of a group after it has read the entry `id`, when it was `read` after `last_id`.
    pub fn entries_read_after(&self, last_id: StreamId, read: Option<u64>, id: StreamId) -> Option<u64> {
        match read {
            Some(read) if last_id >= self.first_id && !self.is_missing_entries_from(last_id) => {
                Some(read.wrapping_add(1))
            }
            read if self.entries_added == 0 => read,
            _ => self.entries_up_to(id),
        }
    }
}
