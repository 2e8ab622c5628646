//! What a replica says to the server that it is about to follow, line by line, and what it makes of the answers.

/// What is said about the replica.
#[derive(Clone, Debug, Default)]
pub struct Introduction {
    /// User (empty for the default one) and password, if there is one.
    pub login: Option<(Vec<u8>, Vec<u8>)>,
    pub port: u16,
    pub announced_ip: Option<String>,
    /// The stream that it has, and the first byte that it lacks, counted from 1.
    pub resume: Option<(String, u64)>,
    /// It asks the server to lead from now on: until now that was its replica.
    pub hands_over: bool,
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The next request is to be sent.
    Next,
    /// A snapshot follows, and then the stream of this id from this offset on; nobody knows both when the server is very old.
    Full(Option<(String, u64)>),
    /// The stream follows from where the replica is, under this id if it has a new one.
    Continue(Option<String>),
    /// The server does not lead, though it was asked to.
    Refused(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Ping,
    Login,
    Port,
    Ip,
    Capabilities,
    Psync,
    Sync,
}

/// The state of the conversation.
#[derive(Debug)]
pub struct Handshake {
    introduction: Introduction,
    stage: Stage,
}

impl Handshake {
    pub fn new(introduction: Introduction) -> Handshake {
        Handshake { introduction, stage: Stage::Ping }
    }

    /// The words of the request that is to be sent now.
    pub fn request(&self) -> Vec<Vec<u8>> {
        let words = |words: &[&[u8]]| words.iter().map(|word| word.to_vec()).collect::<Vec<_>>();
        let Introduction { login, port, announced_ip, resume, hands_over } = &self.introduction;
        match self.stage {
            Stage::Ping => words(&[b"PING"]),
            Stage::Login => match login {
                Some((user, password)) if user.is_empty() => words(&[b"AUTH", password]),
                Some((user, password)) => words(&[b"AUTH", user, password]),
                None => words(&[b"PING"]),
            },
            Stage::Port => words(&[b"REPLCONF", b"listening-port", port.to_string().as_bytes()]),
            Stage::Ip => words(&[b"REPLCONF", b"ip-address", announced_ip.as_deref().unwrap_or_default().as_bytes()]),
            Stage::Capabilities => words(&[b"REPLCONF", b"capa", b"eof", b"capa", b"psync2", b"capa", b"ochre"]),
            Stage::Psync => match resume {
                Some((id, next)) if *hands_over => {
                    words(&[b"PSYNC", id.as_bytes(), next.to_string().as_bytes(), b"FAILOVER"])
                }
                Some((id, next)) => words(&[b"PSYNC", id.as_bytes(), next.to_string().as_bytes()]),
                None => words(&[b"PSYNC", b"?", b"-1"]),
            },
            Stage::Sync => words(&[b"SYNC"]),
        }
    }

    /// Whether the request that is to be sent now is answered by a snapshot, without a line of its own.
    pub fn is_answered_by_snapshot(&self) -> bool {
        self.stage == Stage::Sync
    }

    /// Takes the answer, a line without its end.
    ///
    /// # Errors
    /// Why it cannot go on; it is worth another attempt later.
    pub fn answer(&mut self, line: &str) -> Result<Verdict, String> {
        let is_error = line.starts_with('-');
        let has_ip = self.introduction.announced_ip.is_some();
        let next = match self.stage {
            Stage::Ping => {
                // Whoever wants a password, or allows nothing before it, lives.
                let lives = ["+", "-NOAUTH", "-NOPERM", "-ERR operation not permitted", "-DENIED"];
                if !lives.iter().any(|start| line.starts_with(start)) {
                    return Err(format!("Error reply to PING from master: '{line}'"));
                }
                if self.introduction.login.is_some() { Stage::Login } else { Stage::Port }
            }
            Stage::Login if is_error => return Err(format!("Unable to AUTH to MASTER: {line}")),
            Stage::Login => Stage::Port,
            // What a server does not know of these it can do without.
            Stage::Port if has_ip => Stage::Ip,
            Stage::Port | Stage::Ip => Stage::Capabilities,
            Stage::Capabilities => Stage::Psync,
            Stage::Psync => return self.psync_answer(line),
            Stage::Sync => return Err(format!("unexpected answer to SYNC: '{line}'")),
        };
        self.stage = next;
        Ok(Verdict::Next)
    }

    fn psync_answer(&mut self, line: &str) -> Result<Verdict, String> {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["+FULLRESYNC", id, offset] if id.len() == ID_LENGTH => {
                let offset = offset.parse().map_err(|_| format!("a wrong offset in '{line}'"))?;
                Ok(Verdict::Full(Some((id.to_owned(), offset))))
            }
            ["+FULLRESYNC", ..] => Err(format!("a wrong answer to PSYNC: '{line}'")),
            ["+CONTINUE"] => Ok(Verdict::Continue(None)),
            ["+CONTINUE", id] if id.len() == ID_LENGTH => Ok(Verdict::Continue(Some(id.to_owned()))),
            ["-NOMASTERLINK" | "-LOADING" | "-MASTERDOWN" | "-BUSY", ..] => {
                Err(format!("MASTER is currently unable to PSYNC but should be in the future: {line}"))
            }
            ["-NOAUTH" | "-NOPERM" | "-DENIED", ..] if !self.introduction.hands_over => {
                Err(format!("PSYNC was refused: {line}"))
            }
            _ if line.starts_with('-') && self.introduction.hands_over => Ok(Verdict::Refused(line.to_owned())),
            _ if line.starts_with('-') => {
                self.stage = Stage::Sync;
                Ok(Verdict::Next)
            }
            _ => Err(format!("Unexpected reply to PSYNC from master: {line}")),
        }
    }
}

/// Digits of an id.
const ID_LENGTH: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789012345678901234567890123456789";

    /// Talks to a server that answers so; shows what was asked, and how it ended.
    fn talk(introduction: Introduction, answers: &[&str]) -> (String, Result<Verdict, String>) {
        let mut handshake = Handshake::new(introduction);
        let mut asked = Vec::new();
        let mut verdict = Ok(Verdict::Next);
        for answer in answers {
            asked.push(String::from_utf8(handshake.request().join(&b' ')).expect("text"));
            verdict = handshake.answer(answer);
            if verdict != Ok(Verdict::Next) {
                break;
            }
        }
        (asked.join("; "), verdict)
    }

    #[test]
    fn a_new_replica_asks_for_all() {
        let full = format!("+FULLRESYNC {ID} 77");
        let introduction = Introduction { port: 7000, ..Introduction::default() };
        let (asked, verdict) = talk(introduction, &["+PONG", "+OK", "-ERR what is that", &full]);
        assert_eq!(asked, "PING; REPLCONF listening-port 7000; REPLCONF capa eof capa psync2 capa ochre; PSYNC ? -1");
        assert_eq!(verdict, Ok(Verdict::Full(Some((ID.to_owned(), 77)))));
    }

    #[test]
    fn one_that_was_here_goes_on() {
        let introduction = Introduction {
            login: Some((b"me".to_vec(), b"secret".to_vec())),
            announced_ip: Some("10.0.0.1".into()),
            resume: Some((ID.into(), 78)),
            ..Introduction::default()
        };
        let answers = ["-NOAUTH Authentication required.", "+OK", "+OK", "+OK", "+OK", "+CONTINUE"];
        let (asked, verdict) = talk(introduction.clone(), &answers);
        assert!(asked.contains("AUTH me secret") && asked.contains("REPLCONF ip-address 10.0.0.1"), "{asked}");
        assert!(asked.ends_with(&format!("PSYNC {ID} 78")), "{asked}");
        assert_eq!(verdict, Ok(Verdict::Continue(None)));
        let renamed = format!("+CONTINUE {ID}");
        let answers = ["+PONG", "+OK", "+OK", "+OK", "+OK", &renamed];
        assert_eq!(talk(introduction.clone(), &answers).1, Ok(Verdict::Continue(Some(ID.to_owned()))));
        assert!(talk(introduction, &["+PONG", "-WRONGPASS no"]).1.is_err());
    }

    #[test]
    fn a_server_that_knows_no_psync_is_asked_in_the_old_way() {
        let mut handshake = Handshake::new(Introduction::default());
        for answer in ["+PONG", "+OK", "+OK", "-ERR unknown command 'PSYNC'"] {
            assert_eq!(handshake.answer(answer), Ok(Verdict::Next));
        }
        assert!(handshake.is_answered_by_snapshot());
        assert_eq!(handshake.request(), [b"SYNC".to_vec()]);
    }

    #[test]
    fn a_primary_hands_over_or_learns_that_it_cannot() {
        let introduction = Introduction { resume: Some((ID.into(), 78)), hands_over: true, ..Introduction::default() };
        let renamed = format!("+CONTINUE {ID}");
        let (asked, verdict) = talk(introduction.clone(), &["+PONG", "+OK", "+OK", &renamed]);
        assert!(asked.ends_with(&format!("PSYNC {ID} 78 FAILOVER")), "{asked}");
        assert_eq!(verdict, Ok(Verdict::Continue(Some(ID.to_owned()))));
        let refused = talk(introduction, &["+PONG", "+OK", "+OK", "-ERR no"]).1;
        assert_eq!(refused, Ok(Verdict::Refused("-ERR no".to_owned())));
    }

    #[test]
    fn strange_answers_end_the_conversation() {
        let introduction = Introduction::default;
        for last in ["+FULLRESYNC", "+FULLRESYNC x 1", "+CONTINUE x", "+OK", "", ":1", "-LOADING wait", "-NOMASTERLINK"]
        {
            assert!(talk(introduction(), &["+PONG", "+OK", "+OK", last]).1.is_err(), "{last}");
        }
        let overflow = format!("+FULLRESYNC {ID} 99999999999999999999999");
        assert!(talk(introduction(), &["+PONG", "+OK", "+OK", &overflow]).1.is_err());
        assert!(talk(introduction(), &["-ERR no"]).1.is_err());
    }
}
