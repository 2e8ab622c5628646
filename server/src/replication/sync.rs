//! How replicas begin: with what they lack, or with a snapshot; and what is done for them by the clock.

use super::link::{Replica, Stage};
use super::spool::{SpoolSink, Transfer};
use super::{Facts, Link, answer_waits, close, lock, note_replicas, open, tell_replicas};
use crate::clients::traits;
use crate::log;
use crate::persistence::rdb_format::{Purpose, RdbFormat};
use crate::persistence::snapshot::{self, Failure, Request};
use crate::session::Session;
use crate::shared::{Message, Shared};
use crate::worker::Worker;
use ochre_rdb::Dialect;
use ochre_replication::Resume;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

/// Versions of Valkey from here on read the types of Valkey 9.
const VALKEY_9: u32 = 9 << 16;

/// Makes the client of `session` a replica: with `asked` it goes on where it was if that can be; else it waits for a snapshot.
/// Answers the line that tells it so, when it can be told at once.
pub fn attach(worker: &mut Worker, session: &mut Session, asked: Option<Resume<'_>>) -> Option<String> {
    let shared = worker.shared;
    let replica = session.replica.get_or_insert_with(Box::<Replica>::default);
    let now_ms = worker.context.now_ms;
    let link = Link::new(Arc::clone(&session.client), replica.facts.clone(), asked.is_some(), now_ms);
    let link = Arc::new(link);
    replica.link = Some(Arc::clone(&link));
    // It may change nothing from now on, and is asked every time.
    session.unrestricted = false;
    session.client.set(traits::REPLICA, true);
    // Nobody closes the backlog meanwhile.
    let mut links = lock(&shared.replication.links);
    let line = asked.and_then(|asked| go_on(shared, &link, asked));
    if line.is_none() {
        log::notice(format_args!("Full resync requested by replica {}", link.name()));
        // Before it is on the list: whoever finds it there may begin the snapshot.
        open(shared);
    }
    links.push(link);
    drop(links);
    worker.begin_to_feed(session);
    note_replicas(shared);
    line
}

/// Lets a replica go on where it was, if that can be.
fn go_on(shared: &'static Shared, link: &Arc<Link>, asked: Resume<'_>) -> Option<String> {
    let history = shared.replication.history();
    let counts = &shared.replication.counts;
    match shared.log.read_on(&link.position, |kept| history.resume(asked, kept)) {
        Ok(offset) => {
            link.set_stage(Stage::Online);
            counts.partial.fetch_add(1, Ordering::Relaxed);
            log::notice(format_args!(
                "Partial resynchronization request from {} accepted. Sending {} bytes of backlog starting from offset {}.",
                link.name(),
                shared.log.end().saturating_sub(offset),
                asked.next
            ));
            Some(if link.facts.knows_new_ids { format!("CONTINUE {}", history.id()) } else { "CONTINUE".into() })
        }
        Err(reason) => {
            if asked.id != b"?" {
                counts.refused_partial.fetch_add(1, Ordering::Relaxed);
                log::notice(format_args!("Partial resynchronization with {} not possible: {reason}", link.name()));
            }
            None
        }
    }
}

/// What is due for replicas: called by the first loop many times a second.
pub fn run_cron(shared: &'static Shared) {
    let replication = &shared.replication;
    super::follow::settle_role(shared);
    super::failover::run_cron(shared, ochre_clock::now_ms());
    let now_ms = ochre_clock::now_ms();
    if let Some(following) = replication.following().filter(|_| !shared.loading.is_active()) {
        following.end_if_silent(now_ms, shared.settings.replication.repl_timeout_s.get() * 1000);
    }
    if !replication.is_on() {
        return;
    }
    begin_sync(shared, now_ms);
    answer_waits(shared);
    // What is kept beyond the backlog's size is there for those who are behind.
    let size = shared.settings.replication.repl_backlog_size_bytes.get();
    let kept = shared.log.kept_for_replicas().map_or(0, |(start, end)| end - start);
    shared.pressure.replica_buffer_bytes.store(kept.saturating_sub(size) as usize, Ordering::Relaxed);
    if now_ms < replication.next_second_ms.load(Ordering::Relaxed) {
        return;
    }
    replication.next_second_ms.store(now_ms + 1000, Ordering::Relaxed);
    let links = replication.links();
    let settings = &shared.settings.replication;
    let period_ms = settings.repl_ping_replica_period_s.get() * 1000;
    let follows = replication.follows();
    // While a replica is to catch up nothing more is said.
    if !follows
        && !super::failover::is_on(shared)
        && !links.is_empty()
        && now_ms.saturating_sub(replication.pinged_ms.load(Ordering::Relaxed)) >= period_ms
    {
        replication.pinged_ms.store(now_ms, Ordering::Relaxed);
        tell_replicas(shared, [&b"PING"[..]].into_iter());
    }
    let timeout_ms = settings.repl_timeout_s.get() * 1000;
    for link in &links {
        end_if_silent(shared, link, now_ms, timeout_ms);
    }
    note_replicas(shared);
    let ttl_ms = settings.repl_backlog_ttl_s.get() * 1000;
    let alone_ms = now_ms.saturating_sub(replication.alone_since_ms.load(Ordering::Relaxed));
    // A replica keeps it: it may have to lead one day.
    if !follows && links.is_empty() && ttl_ms > 0 && alone_ms > ttl_ms {
        close(shared);
    }
}

fn end_if_silent(shared: &Shared, link: &Link, now_ms: u64, timeout_ms: u64) {
    let client = link.client.id;
    let desk = &shared.desks[link.client.thread as usize];
    match link.stage() {
        Stage::Online | Stage::Loaded if link.is_modern && link.silence_ms(now_ms) > timeout_ms => {
            log::warning(format_args!("Disconnecting timedout replica (streaming sync): {}", link.name()));
            desk.post(Message::Kill { client, flush: false });
        }
        // It takes so long that the replica may believe that nobody is there.
        Stage::Waits => desk.post(Message::SignOfLife { client }),
        Stage::Loads if link.transfer().is_some_and(|transfer| transfer.end_mark.is_none()) => {
            desk.post(Message::SignOfLife { client });
        }
        _ => {}
    }
}

/// Whether every loop has taken note that the stream is wanted.
pub(super) fn loops_know(shared: &Shared) -> bool {
    let version = shared.settings_version.load(Ordering::Acquire);
    shared.desks.iter().all(|desk| desk.settings_version.load(Ordering::Acquire) >= version)
}

/// Begins a snapshot for the replicas that wait for one, all that can be served alike together.
fn begin_sync(shared: &'static Shared, now_ms: u64) {
    let replication = &shared.replication;
    if replication.is_syncing.load(Ordering::SeqCst) || shared.loading.is_active() {
        return;
    }
    let is_waiting = |link: &Arc<Link>| link.stage() == Stage::Waits && link.transfer().is_none();
    let mut waiting: Vec<_> = replication.links().into_iter().filter(is_waiting).collect();
    let Some(first) = waiting.first() else { return };
    if !loops_know(shared) {
        return;
    }
    let settings = &shared.settings.replication;
    let streams = |facts: &Facts| facts.knows_end_mark && settings.repl_diskless_sync.get();
    let (has_mark, dialect) = (streams(&first.facts), dialect(shared, &first.facts));
    waiting.retain(|link| streams(&link.facts) == has_mark && self::dialect(shared, &link.facts) == dialect);
    if has_mark {
        // More may come that can be sent the same.
        let waited_ms = waiting.iter().map(|link| now_ms.saturating_sub(link.attached_ms)).max().unwrap_or(0);
        let most = settings.repl_diskless_sync_max_replicas.get();
        let is_full = most > 0 && waiting.len() >= most;
        if waited_ms < settings.repl_diskless_sync_delay_s.get() * 1000 && !is_full {
            return;
        }
    }
    replication.is_syncing.store(true, Ordering::SeqCst);
    log::notice(format_args!(
        "Starting BGSAVE for SYNC with target: {}",
        if has_mark { "replicas sockets" } else { "disk" }
    ));
    let transfer = Arc::new(Mutex::new(None));
    let sink = SpoolSink { shared, transfer: Arc::clone(&transfer) };
    let stream_db = Arc::new(AtomicI64::new(-1));
    let format =
        RdbFormat::new(shared, Purpose::Replication).with_dialect(dialect).with_stream_db(Arc::clone(&stream_db));
    let request = Request::new(format, sink)
        .at_cut(move |job| {
            waiting.retain(|link| !link.is_gone());
            if let Some(following) = shared.replication.following() {
                // Its stream goes on as it is, in the middle of a database.
                stream_db.store(following.db.load(Ordering::Relaxed) as i64, Ordering::Relaxed);
            }
            let mut offset = shared.log.end();
            for link in &waiting {
                offset = shared.log.read_from_here(&link.position);
                link.note_acknowledged(0, None, ochre_clock::now_ms());
            }
            let id = shared.replication.history().id().to_owned();
            let end_mark = has_mark.then(crate::start::random_hex_40);
            let made = Arc::new(Transfer::new(id, offset, end_mark));
            made.begin(waiting.iter().map(|link| link.client.id), job);
            shared.replication.counts.full.fetch_add(waiting.len() as u64, Ordering::Relaxed);
            for link in &waiting {
                link.set_transfer(Some(Arc::clone(&made)));
                // It may have gone just now.
                if link.is_gone() {
                    shared.log.stop_reading(&link.position);
                    made.forget(link.client.id);
                }
            }
            *lock(&transfer) = Some(made);
            super::nudge(shared);
        })
        .key_delay_us(shared.settings.persistence.rdb_key_save_delay_us.get())
        .on_end(|shared, outcome| {
            match outcome {
                Ok(_) => log::notice(format_args!("Background transfer terminated with success")),
                Err(Failure::Sink(error)) => log::warning(format_args!("Background transfer error: {error}")),
                Err(_) => log::notice(format_args!("Background transfer was called off: no replica waits for it")),
            }
            shared.replication.is_syncing.store(false, Ordering::SeqCst);
        });
    snapshot::start(shared, request);
}

/// Whose types a replica is sent: its own, as far as it says, else what the settings say.
fn dialect(shared: &Shared, facts: &Facts) -> Dialect {
    if facts.is_ochre || facts.version >= VALKEY_9 {
        Dialect::Valkey9
    } else {
        crate::settings_view::dialect(&shared.settings)
    }
}
