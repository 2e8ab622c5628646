//! Classes of keyspace events, as `notify-keyspace-events` names them.

/// A set of event classes; the two lowest bits say where events are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Class(pub u32);

impl Class {
    pub const NONE: Class = Class(0);
    /// `K`: published as `__keyspace@<db>__:<key>`.
    pub const KEYSPACE: Class = Class(1 << 0);
    /// `E`: published as `__keyevent@<db>__:<event>`.
    pub const KEYEVENT: Class = Class(1 << 1);
    pub const GENERIC: Class = Class(1 << 2);
    pub const STRING: Class = Class(1 << 3);
    pub const LIST: Class = Class(1 << 4);
    pub const SET: Class = Class(1 << 5);
    pub const HASH: Class = Class(1 << 6);
    pub const SORTED_SET: Class = Class(1 << 7);
    pub const EXPIRED: Class = Class(1 << 8);
    pub const EVICTED: Class = Class(1 << 9);
    pub const STREAM: Class = Class(1 << 10);
    /// `m`: a read that found nothing; not part of `A`.
    pub const KEY_MISS: Class = Class(1 << 11);
    pub const MODULE: Class = Class(1 << 13);
    /// `n`: a key that did not exist before; not part of `A`.
    pub const NEW: Class = Class(1 << 14);

    /// `A`: every class but key misses and new keys.
    pub const ALL: Class = Class(
        Class::GENERIC.0
            | Class::STRING.0
            | Class::LIST.0
            | Class::SET.0
            | Class::HASH.0
            | Class::SORTED_SET.0
            | Class::EXPIRED.0
            | Class::EVICTED.0
            | Class::STREAM.0
            | Class::MODULE.0,
    );

    const LETTERS: [(Class, u8); 15] = [
        (Class::ALL, b'A'),
        (Class::GENERIC, b'g'),
        (Class::STRING, b'$'),
        (Class::LIST, b'l'),
        (Class::SET, b's'),
        (Class::HASH, b'h'),
        (Class::SORTED_SET, b'z'),
        (Class::EXPIRED, b'x'),
        (Class::EVICTED, b'e'),
        (Class::STREAM, b't'),
        (Class::MODULE, b'd'),
        (Class::KEYSPACE, b'K'),
        (Class::KEYEVENT, b'E'),
        (Class::KEY_MISS, b'm'),
        (Class::NEW, b'n'),
    ];

    /// The classes that `letters` name; `None` when a letter is unknown.
    pub fn parse(letters: &[u8]) -> Option<Class> {
        letters.iter().try_fold(Class::NONE, |all, letter| {
            let (class, _) = Class::LETTERS.iter().find(|(_, known)| known == letter)?;
            Some(Class(all.0 | class.0))
        })
    }

    /// The letters of these classes, `A` in place of all that it covers.
    pub fn letters(self) -> String {
        let mut rest = self.0;
        let mut letters = String::new();
        for (class, letter) in Class::LETTERS {
            if rest & class.0 == class.0 {
                letters.push(char::from(letter));
                // `A` stands for its members; the other letters stand for themselves.
                rest &= !class.0;
            }
        }
        letters
    }

    pub fn any(self, other: Class) -> bool {
        self.0 & other.0 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::Class;

    #[test]
    fn letters_are_read_and_written() {
        assert_eq!(Class::parse(b"KEA").map(Class::letters), Some("AKE".into()));
        assert_eq!(Class::parse(b"Kg$xm").map(Class::letters), Some("g$xKm".into()));
        assert_eq!(Class::parse(b"").map(Class::letters), Some(String::new()));
        assert_eq!(Class::parse(b"q"), None);
    }
}
