//! Whose stream this is: the id that it has, and the one that it had before a fail-over.

/// In place of an id where there is none.
pub const NO_ID: &str = "0000000000000000000000000000000000000000";

/// The ids under which the stream of a server is known.
///
/// Two servers with the same id and offset have the same data. Whoever becomes a primary gives its stream a new id, since from
/// there on it goes its own way; up to there it is what the id before says.
#[derive(Clone, Debug)]
pub struct History {
    id: String,
    /// The id before, and up to where it holds: the offset of the first byte that it does not tell of, plus one.
    before: Option<(String, u64)>,
}

/// What a replica asks for that has been here before, or wants to go on with another primary.
#[derive(Clone, Copy, Debug)]
pub struct Resume<'a> {
    pub id: &'a [u8],
    /// The first byte that it lacks, counted from 1.
    pub next: i64,
}

impl History {
    pub fn new(id: String) -> History {
        History { id, before: None }
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    /// The id before, or zeros.
    pub fn id_before(&self) -> &str {
        self.before.as_ref().map_or(NO_ID, |(id, _)| id)
    }

    /// Up to where that holds, as INFO shows it: -1 when there is none.
    pub fn before_holds_to(&self) -> i64 {
        self.before.as_ref().map_or(-1, |(_, offset)| i64::try_from(*offset).unwrap_or(i64::MAX))
    }

    /// The stream has nothing to do with what was before.
    pub fn begin(&mut self, id: String) {
        *self = History::new(id);
    }

    /// The stream goes on under another id from `end` on: the server became a primary, or its primary did.
    pub fn go_on(&mut self, id: String, end: u64) {
        let old = std::mem::replace(&mut self.id, id);
        self.before = Some((old, end + 1));
    }

    /// Forgets what the stream was called before.
    pub fn forget_before(&mut self) {
        self.before = None;
    }

    /// The offset from which a replica can be sent what it lacks, if its data is what is told here, and if `kept`, the part of
    /// the stream from one byte to another, still has it.
    ///
    /// # Errors
    /// Why not, for the log.
    pub fn resume(&self, asked: Resume<'_>, kept: Option<(u64, u64)>) -> Result<u64, String> {
        let knows = ochre_text::case::eq_ignore_case(asked.id, self.id.as_bytes())
            || self.before.as_ref().is_some_and(|(id, to)| {
                ochre_text::case::eq_ignore_case(asked.id, id.as_bytes())
                    && u64::try_from(asked.next).is_ok_and(|next| next <= *to)
            });
        let id = String::from_utf8_lossy(&asked.id[..asked.id.len().min(NO_ID.len())]);
        if asked.id == b"?" {
            return Err("it asks for all".into());
        }
        if !knows {
            return Err(format!(
                "Replication ID mismatch (it asked for '{id}' at {}, here they are '{}' and '{}' up to {})",
                asked.next,
                self.id,
                self.id_before(),
                self.before_holds_to()
            ));
        }
        let Some((start, end)) = kept else { return Err("there is no backlog".into()) };
        let offset = asked.next.checked_sub(1).and_then(|offset| u64::try_from(offset).ok());
        offset
            .filter(|offset| (start..=end).contains(offset))
            .ok_or_else(|| format!("lack of backlog (it asked for {}, here is {} to {end})", asked.next, start + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digit: char) -> String {
        std::iter::repeat_n(digit, 40).collect()
    }

    fn resume(history: &History, digit: char, next: i64, kept: Option<(u64, u64)>) -> Option<u64> {
        history.resume(Resume { id: id(digit).as_bytes(), next }, kept).ok()
    }

    #[test]
    fn a_replica_goes_on_where_the_backlog_has_what_it_lacks() {
        let history = History::new(id('a'));
        let kept = Some((100, 200));
        assert_eq!(resume(&history, 'a', 101, kept), Some(100));
        assert_eq!(resume(&history, 'a', 201, kept), Some(200));
        assert_eq!(resume(&history, 'a', 100, kept), None);
        assert_eq!(resume(&history, 'a', 202, kept), None);
        assert_eq!(resume(&history, 'a', i64::MIN, kept), None);
        assert_eq!(resume(&history, 'a', 0, Some((0, 5))), None);
        assert_eq!(resume(&history, 'b', 150, kept), None);
        assert_eq!(resume(&history, 'a', 150, None), None);
        assert!(history.resume(Resume { id: b"?", next: -1 }, kept).is_err());
    }

    #[test]
    fn the_id_before_holds_up_to_the_change() {
        let mut history = History::new(id('a'));
        history.go_on(id('b'), 150);
        assert_eq!((history.id_before(), history.before_holds_to()), (id('a').as_str(), 151));
        let kept = Some((100, 200));
        assert_eq!(resume(&history, 'b', 200, kept), Some(199));
        assert_eq!(resume(&history, 'a', 151, kept), Some(150));
        // It has seen what never happened here.
        assert_eq!(resume(&history, 'a', 152, kept), None);
        history.begin(id('c'));
        assert_eq!((history.id_before(), history.before_holds_to()), (NO_ID, -1));
        assert_eq!(resume(&history, 'b', 150, kept), None);
    }
}
