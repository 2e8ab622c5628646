//! The shards of something, each behind its lock, and the queues of those who wait for one.

use super::{SHARDS_MAX, ShardLock, ShardSet, word::Claim};
use crate::sync::{
    Mutex, UnsafeCell,
    atomic::{AtomicBool, AtomicUsize, Ordering},
    lock, yield_now,
};
use std::{collections::VecDeque, fmt, marker::PhantomData, mem, time::Duration};

/// `T` cut into shards. A thread gets at the shards of a [`ShardSet`] by locking them all.
pub struct Shards<T> {
    cells: Box<[Cell<T>]>,
    /// With one thread only, a lock is a plain flag and this is the thread that may use it (0: none yet).
    only_thread: Option<AtomicUsize>,
    wake: Box<dyn Fn(Ticket) + Send + Sync>,
    /// The one client that newcomers queue behind. Invariant: RESERVED is set in these shards and in no others.
    precedence: Mutex<Option<(Ticket, ShardSet)>>,
    /// A script is waiting in [`Guard::extend_waiting`].
    escalating: AtomicBool,
}

/// Two cache lines, because processors fetch them in pairs: a busy shard does not slow down its neighbours.
#[repr(align(128))]
struct Cell<T> {
    lock: ShardLock,
    /// First come, first woken. Invariant: the lock's PARKED hint is set when this is not empty; both change under the mutex.
    parked: Mutex<VecDeque<Ticket>>,
    value: UnsafeCell<T>,
}

// SAFETY: a `T` is reached only through a `Guard` that holds the shard's lock (or, with one thread, by that thread), so it
// is handed from thread to thread but never shared.
unsafe impl<T: Send> Sync for Shards<T> {}
// SAFETY: the shards own their values.
unsafe impl<T: Send> Send for Shards<T> {}

/// A client that waits, in the words of whoever wakes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The thread that serves the client.
    pub thread: u32,
    pub client: u64,
}

/// A client's tries to lock its shards, from its first failure to its success.
#[derive(Debug)]
pub struct Attempt {
    ticket: Ticket,
    failures: u32,
    has_precedence: bool,
}

/// The client waits in the queue of this shard and will be woken; it may not touch its keys before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parked(pub usize);

/// Locked shards; dropping it unlocks them and wakes whoever waits for one.
#[must_use]
pub struct Guard<'a, T> {
    shards: &'a Shards<T>,
    /// Invariant: this guard holds the locks of these shards.
    held: Held<'a, T>,
    /// A guard stays on its thread: with one thread only, its lock is no more than a flag.
    _not_send: PhantomData<*mut T>,
}

enum Held<'a, T> {
    /// One shard and its cell, as nearly every command has it: no set has to be made or walked.
    One(usize, &'a Cell<T>),
    /// The caller's set, because copying one would cost 20 ns.
    Several(&'a mut ShardSet),
    /// A guard of one shard has locked more.
    Grown(Box<ShardSet>),
}

impl<T> Shards<T> {
    /// `count` shards for any number of threads. `wake` is called with each parked ticket, in the order in which they came,
    /// by the thread that unlocked (after it unlocked everything); it should post to a mailbox and not do more.
    ///
    /// Panics when `count` is zero or above [`SHARDS_MAX`].
    pub fn new(count: usize, wake: impl Fn(Ticket) + Send + Sync + 'static, make: impl FnMut(usize) -> T) -> Self {
        Self::build(count, None, Box::new(wake), make)
    }

    /// `count` shards for one thread, the first that locks: locking is a plain flag, and nobody is ever parked.
    ///
    /// Panics when `count` is zero or above [`SHARDS_MAX`]; locking panics in a second thread.
    pub fn single_threaded(count: usize, make: impl FnMut(usize) -> T) -> Self {
        Self::build(count, Some(AtomicUsize::new(0)), Box::new(|_| ()), make)
    }

    fn build(
        count: usize,
        only_thread: Option<AtomicUsize>,
        wake: Box<dyn Fn(Ticket) + Send + Sync>,
        mut make: impl FnMut(usize) -> T,
    ) -> Self {
        assert!((1..=SHARDS_MAX).contains(&count), "there are 1 to {SHARDS_MAX} shards");
        let cell = |shard| Cell {
            lock: ShardLock::new(),
            parked: Mutex::new(VecDeque::new()),
            value: UnsafeCell::new(make(shard)),
        };
        Self {
            cells: (0..count).map(cell).collect(),
            only_thread,
            wake,
            precedence: Mutex::new(None),
            escalating: AtomicBool::new(false),
        }
    }

    /// How many shards there are, at least one.
    #[expect(clippy::len_without_is_empty, reason = "there is always a shard")]
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Locks the wanted shards, or none: then the answer is a shard that stayed busy for [`SPIN_LIMIT`].
    ///
    /// Panics when a shard of the set does not exist.
    #[inline]
    pub fn try_lock_set<'a>(&'a self, wanted: &'a mut ShardSet) -> Result<Guard<'a, T>, usize> {
        self.try_lock_as(wanted, Claim::Newcomer, SPIN_LIMIT).map(|()| self.guard(wanted))
    }

    /// Like [`Self::try_lock_set`], without spinning: for work that can as well be done later, as eviction.
    #[inline]
    pub fn try_lock_at_once<'a>(&'a self, wanted: &'a mut ShardSet) -> Result<Guard<'a, T>, usize> {
        self.try_lock_as(wanted, Claim::Newcomer, Duration::ZERO).map(|()| self.guard(wanted))
    }

    /// Locks the wanted shards for the client of `attempt`, or parks it: then its ticket comes to `wake` when it is worth
    /// trying again with the same `attempt` (which may park it again).
    ///
    /// A client that no longer wants the shards must say so with [`Self::give_up`].
    #[inline]
    pub fn lock_or_park<'a>(&'a self, wanted: &'a mut ShardSet, attempt: &mut Attempt) -> Result<Guard<'a, T>, Parked> {
        while let Err(busy) = self.try_lock_as(wanted, attempt.claim(), SPIN_LIMIT) {
            if self.fail(wanted, busy, attempt) {
                return Err(Parked(busy));
            }
        }
        self.give_up(attempt);
        Ok(self.guard(wanted))
    }

    /// Locks one shard if that is possible at once: what nearly every command needs.
    ///
    /// Panics when there is no such shard.
    #[inline]
    pub fn try_lock_one(&self, shard: usize) -> Option<Guard<'_, T>> {
        let cell = &self.cells[shard];
        let is_locked = match &self.only_thread {
            None => cell.lock.try_lock(),
            Some(only_thread) => {
                check_thread(only_thread);
                cell.lock.try_lock_alone()
            }
        };
        is_locked.then(|| Guard { shards: self, held: Held::One(shard, cell), _not_send: PhantomData })
    }

    /// Ends an attempt: its precedence, if it had it, is free for others. The ticket stays in its queue and is still woken.
    #[inline]
    pub fn give_up(&self, attempt: &mut Attempt) {
        attempt.failures = 0;
        if mem::take(&mut attempt.has_precedence) {
            self.end_precedence();
        }
    }

    /// Locks the wanted shards however long that takes, putting the thread to sleep meanwhile. For background threads, start
    /// and shutdown; an event loop parks its clients instead. The caller holds no guard, or it may wait for itself.
    pub fn lock_set_blocking<'a>(&'a self, wanted: &'a mut ShardSet) -> Guard<'a, T> {
        let mut attempt = Attempt::new(Ticket { thread: u32::MAX, client: this_thread() as u64 });
        while self.try_lock_as(wanted, attempt.claim(), SPIN_LIMIT).is_err() {
            self.demand_after_failure(wanted, &mut attempt);
            if cfg!(loom) || attempt.failures < 100 {
                yield_now();
            } else {
                std::thread::sleep(Duration::from_micros(50));
            }
        }
        self.give_up(&mut attempt);
        self.guard(wanted)
    }

    /// The value of a shard, without locking, because nobody else can see the shards.
    pub fn get_mut(&mut self, shard: usize) -> &mut T {
        // SAFETY: `&mut self` says that there is no guard.
        self.cells[shard].value.with_mut(|value| unsafe { &mut *value })
    }

    #[inline]
    fn try_lock_as(&self, wanted: &ShardSet, claim: Claim, limit: Duration) -> Result<(), usize> {
        if let Some(only_thread) = &self.only_thread {
            check_thread(only_thread);
        }
        let mut last = None;
        for shard in wanted.iter() {
            debug_assert!(last < Some(shard), "shards are locked lowest first");
            if !self.lock_one(shard, claim, limit) {
                self.unlock(wanted.iter().take_while(|&locked| locked < shard));
                return Err(shard);
            }
            last = Some(shard);
        }
        Ok(())
    }

    /// The guard of shards that have just been locked.
    #[inline]
    fn guard<'a>(&'a self, held: &'a mut ShardSet) -> Guard<'a, T> {
        let held = match held.only() {
            Some(shard) => Held::One(shard, &self.cells[shard]),
            None => Held::Several(held),
        };
        Guard { shards: self, held, _not_send: PhantomData }
    }

    #[inline]
    fn lock_one(&self, shard: usize, claim: Claim, limit: Duration) -> bool {
        let lock = &self.cells[shard].lock;
        match &self.only_thread {
            None if claim == Claim::Newcomer => lock.try_lock() || lock.spin(limit, claim),
            None => lock.spin(limit, claim),
            Some(_) => lock.try_lock_alone(),
        }
    }

    #[inline]
    fn unlock_one(&self, shard: usize, cell: &Cell<T>) {
        if self.only_thread.is_some() {
            cell.lock.unlock_alone();
        } else if cell.lock.unlock() {
            self.wake_parked(std::iter::once(shard));
        }
    }

    fn unlock(&self, held: impl Iterator<Item = usize> + Clone) {
        if self.only_thread.is_some() {
            return held.for_each(|shard| self.cells[shard].lock.unlock_alone());
        }
        let somebody_is_parked = held.clone().fold(false, |parked, shard| self.cells[shard].lock.unlock() | parked);
        if somebody_is_parked {
            self.wake_parked(held);
        }
    }

    /// Hands all tickets that are parked on these shards to `wake`.
    #[cold]
    fn wake_parked(&self, shards: impl Iterator<Item = usize>) {
        for cell in shards.map(|shard| &self.cells[shard]).filter(|cell| cell.lock.is_parked()) {
            let tickets = {
                let mut parked = lock(&cell.parked);
                cell.lock.clear_parked();
                mem::take(&mut *parked)
            };
            tickets.into_iter().for_each(&self.wake);
        }
    }

    /// Counts a failure and parks the client; false when the shard is not busy any longer.
    #[cold]
    fn fail(&self, wanted: &ShardSet, busy: usize, attempt: &mut Attempt) -> bool {
        self.demand_after_failure(wanted, attempt);
        self.park(busy, attempt)
    }

    fn demand_after_failure(&self, wanted: &ShardSet, attempt: &mut Attempt) {
        assert!(self.only_thread.is_none(), "the only thread drops its guard before it locks again");
        attempt.failures += 1;
        attempt.has_precedence = attempt.failures >= PATIENCE && self.demand(attempt.ticket, wanted);
    }

    /// Puts the client into the queue of a busy shard; false when the shard is not busy any longer.
    fn park(&self, shard: usize, attempt: &Attempt) -> bool {
        let cell = &self.cells[shard];
        let mut parked = lock(&cell.parked);
        parked.push_back(attempt.ticket);
        // The ticket is published before the word is looked at again: see the module's text.
        let is_busy = cell.lock.set_parked_as(attempt.claim());
        if !is_busy {
            parked.pop_back();
            if parked.is_empty() {
                cell.lock.clear_parked();
            }
        }
        is_busy
    }

    /// Gives a client precedence in these shards, unless another has it.
    fn demand(&self, ticket: Ticket, wanted: &ShardSet) -> bool {
        let mut precedence = lock(&self.precedence);
        match &mut *precedence {
            Some((first, _)) if *first != ticket => return false,
            Some((_, reserved)) => reserved.extend_from(wanted),
            free => *free = Some((ticket, wanted.clone())),
        }
        wanted.iter().for_each(|shard| self.cells[shard].lock.reserve());
        true
    }

    #[cold]
    fn end_precedence(&self) {
        let mut to_wake = ShardSet::new();
        {
            let mut precedence = lock(&self.precedence);
            let (_, reserved) = precedence.take().expect("who has precedence is noted here");
            for shard in reserved.iter().filter(|&shard| self.cells[shard].lock.end_reservation()) {
                to_wake.insert(shard);
            }
        }
        self.wake_parked(to_wake.iter());
    }
}

impl<'a, T> Guard<'a, T> {
    /// Whether all locked shards pass a test.
    #[inline]
    pub fn all(&self, test: impl Fn(&T) -> bool) -> bool {
        match &self.held {
            Held::One(shard, _) => test(self.get(*shard)),
            Held::Several(held) => held.iter().all(|shard| test(self.get(shard))),
            Held::Grown(held) => held.iter().all(|shard| test(self.get(shard))),
        }
    }

    /// The locked shard, if the guard was made for one and has not locked more.
    #[inline]
    pub fn only(&self) -> Option<&T> {
        match &self.held {
            // SAFETY: the guard holds the shard's lock, and while it is borrowed nobody gets a `&mut` from it.
            Held::One(_, cell) => Some(cell.value.with(|value| unsafe { &*value })),
            Held::Several(_) | Held::Grown(_) => None,
        }
    }

    /// Panics when the shard is not locked by this guard.
    #[inline]
    pub fn get(&self, shard: usize) -> &T {
        // SAFETY: the guard holds the shard's lock, and while it is borrowed nobody gets a `&mut` from it.
        self.cell(shard).value.with(|value| unsafe { &*value })
    }

    /// Panics when the shard is not locked by this guard.
    #[inline]
    pub fn get_mut(&mut self, shard: usize) -> &mut T {
        // SAFETY: the guard holds the shard's lock, and it is borrowed exclusively.
        self.cell(shard).value.with_mut(|value| unsafe { &mut *value })
    }

    /// Two shards at once, as a command needs that moves something.
    ///
    /// Panics when the shards are the same or one is not locked by this guard.
    pub fn get_pair_mut(&mut self, one: usize, other: usize) -> (&mut T, &mut T) {
        assert_ne!(one, other, "the two shards differ");
        // SAFETY: the guard holds both locks and is borrowed exclusively, and the shards differ.
        let value = |shard: usize| self.cell(shard).value.with_mut(|value| unsafe { &mut *value });
        (value(one), value(other))
    }

    /// The locked shards.
    pub fn held(&self) -> ShardSet {
        match &self.held {
            Held::One(shard, _) => ShardSet::of(*shard),
            Held::Several(held) => (**held).clone(),
            Held::Grown(held) => (**held).clone(),
        }
    }

    /// Whether this shard is among the locked ones.
    #[inline]
    pub fn holds(&self, shard: usize) -> bool {
        match &self.held {
            Held::One(one, _) => *one == shard,
            Held::Several(held) => held.contains(shard),
            Held::Grown(held) => held.contains(shard),
        }
    }

    /// The locked shards, as a set that can grow.
    fn held_mut(&mut self) -> &mut ShardSet {
        if let Held::One(shard, _) = self.held {
            self.held = Held::Grown(Box::new(ShardSet::of(shard)));
        }
        match &mut self.held {
            Held::Several(held) => held,
            Held::Grown(held) => held,
            Held::One(..) => unreachable!("it was replaced"),
        }
    }

    /// Locks more shards, or none of them and the answer is a busy one; what was held is held in both cases.
    ///
    /// It spins only on shards above those that are held, so that two who extend cannot hold each other up.
    pub fn try_extend(&mut self, more: &ShardSet) -> Result<(), usize> {
        let held = self.held();
        let missing = more.without(&held);
        for shard in missing.iter() {
            let is_above = held.last().is_none_or(|last| last < shard);
            let limit = if is_above { SPIN_LIMIT } else { Duration::ZERO };
            if !self.shards.lock_one(shard, Claim::Newcomer, limit) {
                self.shards.unlock(missing.iter().take_while(|&locked| locked < shard));
                return Err(shard);
            }
        }
        self.held_mut().extend_from(&missing);
        Ok(())
    }

    /// Locks more shards, in any order, and waits for them: for a script, which cannot be undone. Until it has them, nobody
    /// else can lock them; those who hold them never wait, so they come free.
    ///
    /// Panics when two threads do this at the same time, because they could wait for each other: scripts run one by one.
    pub fn extend_waiting(&mut self, more: &ShardSet, mut meanwhile: impl FnMut()) {
        let missing = more.without(&self.held());
        if self.try_extend(&missing).is_ok() {
            return;
        }
        assert!(!self.shards.escalating.swap(true, Ordering::AcqRel), "one script runs at a time");
        for shard in missing.iter() {
            self.shards.cells[shard].lock.escalate();
        }
        for shard in missing.iter() {
            while !self.shards.lock_one(shard, Claim::Script, SPIN_LIMIT) {
                meanwhile();
                yield_now();
            }
            self.held_mut().insert(shard);
        }
        self.shards.escalating.store(false, Ordering::Release);
    }

    #[inline]
    fn cell(&self, shard: usize) -> &'a Cell<T> {
        match self.held {
            Held::One(one, cell) if one == shard => cell,
            _ => self.cell_among_others(shard),
        }
    }

    #[inline(never)]
    fn cell_among_others(&self, shard: usize) -> &'a Cell<T> {
        assert!(self.holds(shard), "shard {shard} is not locked by this guard");
        &self.shards.cells[shard]
    }
}

impl<T> Drop for Guard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        match &self.held {
            Held::One(shard, cell) => self.shards.unlock_one(*shard, cell),
            Held::Several(held) => self.shards.unlock(held.iter()),
            Held::Grown(held) => self.shards.unlock(held.iter()),
        }
    }
}

impl Attempt {
    pub fn new(ticket: Ticket) -> Self {
        Self { ticket, failures: 0, has_precedence: false }
    }

    /// As if it had already failed a few times.
    #[cfg(all(test, loom))]
    pub(super) fn after(ticket: Ticket, failures: u32) -> Self {
        Self { ticket, failures, has_precedence: false }
    }

    fn claim(&self) -> Claim {
        if self.has_precedence { Claim::Precedence } else { Claim::Newcomer }
    }

    pub fn ticket(&self) -> Ticket {
        self.ticket
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        debug_assert!(!self.has_precedence || std::thread::panicking(), "a client that leaves gives up its attempt");
    }
}

impl<T> fmt::Debug for Shards<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shards").field("count", &self.cells.len()).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Guard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("held", &self.held()).finish_non_exhaustive()
    }
}

/// Panics when another thread than the only one uses the shards; the first one that does becomes the only one.
#[inline]
fn check_thread(only_thread: &AtomicUsize) {
    let here = this_thread();
    if only_thread.load(Ordering::Relaxed) != here {
        let first = only_thread.compare_exchange(0, here, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        assert!(first, "these shards belong to one thread");
    }
}

/// A number that no other living thread has: the address of one of its own variables.
#[inline]
fn this_thread() -> usize {
    thread_local! {
        static HERE: u8 = const { 0 };
    }
    HERE.with(|here| std::ptr::from_ref(here).addr())
}

/// How long a busy shard is spun on; parking and waking a client costs about as much.
pub const SPIN_LIMIT: Duration = Duration::from_micros(2);

/// A client that has failed this often asks for precedence.
pub const PATIENCE: u32 = 3;
