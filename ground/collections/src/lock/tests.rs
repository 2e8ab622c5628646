//! Shards with one thread and with many.

use super::{Attempt, Guard, Parked, ShardSet, Shards, Ticket};
use crate::mailbox::Mailbox;
use std::{collections::HashMap, sync::Arc, sync::mpsc};

type Woken = Arc<Mailbox<Ticket>>;

fn shards(count: usize) -> (Shards<u64>, Woken) {
    let woken = Woken::default();
    let post = Arc::clone(&woken);
    (Shards::new(count, move |ticket| _ = post.post(ticket), |_| 0), woken)
}

fn set(numbers: &[usize]) -> ShardSet {
    numbers.iter().copied().collect()
}

fn client(client: u64) -> Attempt {
    Attempt::new(Ticket { thread: 0, client })
}

fn woken_clients(woken: &Woken) -> Vec<u64> {
    let mut tickets = Vec::new();
    woken.drain(&mut tickets);
    tickets.iter().map(|ticket| ticket.client).collect()
}

fn lock<'a>(shards: &'a Shards<u64>, wanted: &'a mut ShardSet) -> Guard<'a, u64> {
    shards.try_lock_set(wanted).expect("nobody holds these shards")
}

fn busy<T>(answer: Result<Guard<'_, u64>, T>) -> T {
    answer.map(drop).expect_err("one of the shards is busy")
}

#[test]
fn a_set_is_locked_whole_or_not_at_all() {
    let (shards, _) = shards(200);
    let to_hold = &mut set(&[70, 130]);
    let held = lock(&shards, to_hold);
    assert_eq!(busy(shards.try_lock_set(&mut set(&[3, 70, 199]))), 70);
    drop(lock(&shards, &mut set(&[3, 199])));
    drop(held);
    drop(lock(&shards, &mut set(&[3, 70, 130, 199])));
}

#[test]
fn values_are_reached_through_the_guard() {
    let (mut shards, _) = shards(4);
    let wanted = &mut set(&[1, 3]);
    let mut guard = lock(&shards, wanted);
    *guard.get_mut(1) += 5;
    let (one, three) = guard.get_pair_mut(1, 3);
    std::mem::swap(one, three);
    assert_eq!((*guard.get(1), *guard.get(3)), (0, 5));
    drop(guard);
    assert_eq!(*shards.get_mut(3), 5);
}

#[test]
#[should_panic = "shard 2 is not locked by this guard"]
fn a_shard_that_is_not_locked_is_out_of_reach() {
    let (shards, _) = shards(4);
    lock(&shards, &mut set(&[1, 3])).get(2);
}

#[test]
fn who_waits_is_woken_in_order_when_the_shard_is_unlocked() {
    let (shards, woken) = shards(4);
    let to_hold = &mut set(&[0, 1, 2, 3]);
    let held = lock(&shards, to_hold);
    for (number, wanted) in [(7, [2, 3]), (8, [2, 3]), (9, [0, 1])] {
        let parked = busy(shards.lock_or_park(&mut set(&wanted), &mut client(number)));
        assert_eq!(parked, Parked(wanted[0]));
    }
    assert!(woken.is_empty());
    drop(held);
    assert_eq!(woken_clients(&woken), [9, 7, 8]);
    drop(lock(&shards, &mut set(&[2])));
    assert!(woken.is_empty());
}

#[test]
fn a_guard_is_extended_by_all_or_none() {
    let (shards, _) = shards(8);
    let to_hold = &mut set(&[6]);
    let other = lock(&shards, to_hold);
    let wanted = &mut set(&[3, 4]);
    let mut guard = lock(&shards, wanted);
    assert_eq!(guard.try_extend(&set(&[1, 3, 6])), Err(6));
    drop(lock(&shards, &mut set(&[1])));
    drop(other);
    assert_eq!(guard.try_extend(&set(&[1, 3, 6])), Ok(()));
    assert_eq!(guard.held(), set(&[1, 3, 4, 6]));
    assert_eq!(busy(shards.try_lock_set(&mut set(&[1]))), 1);
    drop(guard);
    drop(lock(&shards, &mut set(&[1, 3, 4, 6])));
}

#[test]
fn newcomers_queue_behind_a_client_that_has_failed_too_often() {
    let (shards, woken) = shards(2);
    let mut both = set(&[0, 1]);
    let mut patient = client(1);
    for _ in 0..super::PATIENCE {
        let to_hold = &mut set(&[1]);
        let held = lock(&shards, to_hold);
        busy(shards.lock_or_park(&mut both, &mut patient));
        drop(held);
        assert_eq!(woken_clients(&woken), [1]);
    }
    assert_eq!(busy(shards.lock_or_park(&mut set(&[0]), &mut client(2))), Parked(0));
    assert_eq!(busy(shards.try_lock_set(&mut set(&[1]))), 1);
    let guard = shards.lock_or_park(&mut both, &mut patient).expect("the client has precedence");
    assert!(woken.is_empty());
    drop(guard);
    assert_eq!(woken_clients(&woken), [2]);
    drop(lock(&shards, &mut set(&[0, 1])));
}

#[test]
fn a_client_that_leaves_lets_the_others_pass() {
    let (shards, woken) = shards(2);
    let to_hold = &mut set(&[0]);
    let held = lock(&shards, to_hold);
    let mut leaver = client(1);
    for _ in 0..super::PATIENCE {
        busy(shards.lock_or_park(&mut set(&[0, 1]), &mut leaver));
    }
    assert_eq!(busy(shards.lock_or_park(&mut set(&[1]), &mut client(2))), Parked(1));
    shards.give_up(&mut leaver);
    assert_eq!(woken_clients(&woken), [2]);
    drop(lock(&shards, &mut set(&[1])));
    drop(held);
}

#[test]
fn one_thread_locks_with_plain_flags() {
    let shards = Shards::single_threaded(3, |shard| shard);
    let mut wanted = set(&[0, 2]);
    let guard = shards.try_lock_set(&mut wanted).expect("nobody holds these shards");
    assert_eq!(*guard.get(2), 2);
    assert_eq!(shards.try_lock_set(&mut set(&[1, 2])).map(drop), Err(2));
    drop(guard);
    drop(shards.lock_or_park(&mut set(&[0, 1, 2]), &mut client(1)).expect("nobody holds these shards"));
    std::thread::scope(|scope| {
        let stranger = scope.spawn(|| _ = shards.try_lock_set(&mut set(&[1])));
        stranger.join().expect_err("the shards belong to the first thread");
    });
}

/// Every thread adds to random pairs of shards and serves its parked clients when they are woken; nothing may be lost.
#[test]
fn many_threads_lose_neither_an_addition_nor_a_wake_up() {
    const THREADS: u64 = 4;
    const CLIENTS: u64 = 8;
    const TURNS: u64 = 2_000;
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..THREADS).map(|_| mpsc::channel()).unzip();
    let wake = move |ticket: Ticket| senders[ticket.thread as usize].send(ticket.client).expect("the thread lives");
    let mut shards = Shards::new(5, wake, |_| 0_u64);
    std::thread::scope(|scope| {
        for (thread, woken) in (0..).zip(receivers) {
            let shards = &shards;
            scope.spawn(move || {
                let mut random = 88_172_645_463_325_252 + u64::from(thread);
                let mut waiting = HashMap::new();
                let mut to_do: HashMap<u64, u64> = (0..CLIENTS).map(|client| (client, TURNS)).collect();
                let mut ready: Vec<u64> = (0..CLIENTS).collect();
                while !to_do.is_empty() {
                    let client = ready.pop().unwrap_or_else(|| woken.recv().expect("the shards live"));
                    let (mut wanted, mut attempt) = waiting.remove(&client).unwrap_or_else(|| {
                        random ^= random << 13;
                        random ^= random >> 7;
                        random ^= random << 17;
                        let pair = set(&[random as usize % 5, (random >> 32) as usize % 5]);
                        (pair, Attempt::new(Ticket { thread, client }))
                    });
                    let Ok(mut guard) = shards.lock_or_park(&mut wanted, &mut attempt) else {
                        waiting.insert(client, (wanted, attempt));
                        continue;
                    };
                    let held = guard.held();
                    held.iter().for_each(|shard| *guard.get_mut(shard) += 6 / held.len() as u64);
                    if random % 16 == 0 {
                        std::thread::yield_now(); // now and then a holder is slow
                    }
                    drop(guard);
                    let left = to_do.get_mut(&client).expect("the client has work");
                    *left -= 1;
                    if *left == 0 { _ = to_do.remove(&client) } else { ready.push(client) }
                }
            });
        }
    });
    assert_eq!((0..5).map(|shard| *shards.get_mut(shard)).sum::<u64>(), 6 * THREADS * CLIENTS * TURNS);
}
