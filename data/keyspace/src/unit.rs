//! What a command, a transaction or a script adds to the log: made while it runs, appended as one.

/// Commands on their way to the log, in the log's own form: requests of the protocol, with SELECT where the database changes.
///
/// Which database the log has selected is known only when the unit is appended, so the first SELECT is left to that.
#[derive(Debug, Default)]
pub struct Unit {
    bytes: Vec<u8>,
    commands: usize,
    first_db: usize,
    last_db: usize,
    /// It came from elsewhere and goes on as it is.
    is_passed_on: bool,
}

/// An empty unit keeps up to so many bytes for the next one.
const KEPT_BYTES_MAX: usize = 64 * 1024;

impl Unit {
    /// Adds a command on database `db`.
    pub fn push<'w>(&mut self, db: usize, words: impl ExactSizeIterator<Item = &'w [u8]>) {
        if self.commands == 0 {
            self.first_db = db;
        } else if self.last_db != db {
            write_select(&mut self.bytes, db);
        }
        self.last_db = db;
        self.commands += 1;
        write_command(&mut self.bytes, words);
    }

    /// Holds what another server's log has, to be appended as it is: it begins in database `first_db`, and ends in `last_db`.
    pub fn pass_on(&mut self, bytes: &[u8], first_db: usize, last_db: usize) {
        self.clear();
        self.bytes.extend_from_slice(bytes);
        (self.commands, self.is_passed_on) = (1, true);
        (self.first_db, self.last_db) = (first_db, last_db);
    }

    /// Says which database is selected after it.
    pub fn end_in(&mut self, db: usize) {
        self.last_db = db;
    }

    /// Whether it is to be appended as it is.
    pub fn is_passed_on(&self) -> bool {
        self.is_passed_on
    }

    /// Whether there is nothing to append.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.commands == 0
    }

    /// Number of commands, those that only select a database left out.
    pub fn commands(&self) -> usize {
        self.commands
    }

    /// The database of the first command, which has to be selected before `bytes`.
    pub fn first_db(&self) -> usize {
        self.first_db
    }

    /// The database that is selected after `bytes`.
    pub fn last_db(&self) -> usize {
        self.last_db
    }

    /// The commands.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Forgets the commands.
    pub fn clear(&mut self) {
        self.commands = 0;
        self.is_passed_on = false;
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES_MAX);
    }
}

/// Writes a request that selects `db`.
pub fn write_select(out: &mut Vec<u8>, db: usize) {
    write_command(out, [&b"SELECT"[..], db.to_string().as_bytes()].into_iter());
}

/// Writes a request.
pub fn write_command<'w>(out: &mut Vec<u8>, words: impl ExactSizeIterator<Item = &'w [u8]>) {
    write_header(out, b'*', words.len());
    for word in words {
        write_header(out, b'$', word.len());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

#[inline]
fn write_header(out: &mut Vec<u8>, mark: u8, mut number: usize) {
    let mut digits = [0; 24];
    let mut at = digits.len() - 2;
    digits[at..].copy_from_slice(b"\r\n");
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    at -= 1;
    digits[at] = mark;
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<&[u8]> {
        line.split(' ').map(str::as_bytes).collect()
    }

    #[test]
    fn databases_are_selected_where_they_change() {
        let mut unit = Unit::default();
        for (db, line) in [(3, "SET a 1"), (3, "DEL b"), (12, "DEL c")] {
            unit.push(db, words(line).into_iter());
        }
        assert_eq!((unit.commands(), unit.first_db(), unit.last_db()), (3, 3, 12));
        let expected = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n*2\r\n$3\r\nDEL\r\n$1\r\nb\r\n\
                        *2\r\n$6\r\nSELECT\r\n$2\r\n12\r\n*2\r\n$3\r\nDEL\r\n$1\r\nc\r\n";
        assert_eq!(String::from_utf8_lossy(unit.bytes()), expected);
        unit.clear();
        assert!(unit.is_empty());
    }

    #[test]
    fn lengths_of_any_size_are_written() {
        let mut out = Vec::new();
        write_header(&mut out, b'$', 0);
        write_header(&mut out, b'*', usize::MAX);
        assert_eq!(String::from_utf8_lossy(&out), format!("$0\r\n*{}\r\n", usize::MAX));
    }
}
