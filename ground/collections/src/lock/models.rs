//! Loom tries every order in which threads can meet at a lock; a lost wake-up is a deadlock that it reports.

use super::{Attempt, PATIENCE, ShardSet, Shards, Ticket};
use loom::sync::{Arc, Notify};

/// Each client (a thread of its own here) adds one to its shards, after `failures` failures that are already counted.
fn add_one_each(shards: usize, clients: &'static [(&'static [usize], u32)]) {
    let bell = || clients.iter().map(|_| Notify::new()).collect::<Vec<_>>();
    let bells = Arc::new(bell());
    let ring = Arc::clone(&bells);
    let shards = Arc::new(Shards::new(shards, move |ticket| ring[ticket.client as usize].notify(), |_| 0));
    let threads: Vec<_> = (0..clients.len())
        .map(|number| {
            let (shards, bells) = (Arc::clone(&shards), Arc::clone(&bells));
            loom::thread::spawn(move || {
                let (wanted, failures) = clients[number];
                let mut set: ShardSet = wanted.iter().copied().collect();
                let mut attempt = Attempt::after(Ticket { thread: 0, client: number as u64 }, failures);
                loop {
                    match shards.lock_or_park(&mut set, &mut attempt) {
                        Ok(mut guard) => break wanted.iter().for_each(|&shard| *guard.get_mut(shard) += 1),
                        Err(_) => bells[number].wait(),
                    }
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().expect("the client does not panic"));
    let mut all = clients.iter().flat_map(|(wanted, _)| wanted.iter().copied()).collect();
    let all = shards.try_lock_set(&mut all).expect("all shards are free and none is reserved");
    for shard in all.held().iter() {
        assert_eq!(*all.get(shard), clients.iter().filter(|(wanted, _)| wanted.contains(&shard)).count());
    }
}

/// Three threads meet in too many ways to try them all; nearly all mistakes show within three preemptions.
fn model(preemptions: Option<usize>, scenario: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions;
    builder.check(scenario);
}

#[test]
fn loom_two_clients_of_one_shard() {
    model(Some(3), || add_one_each(1, &[(&[0], 0), (&[0], 0)]));
}

#[test]
fn loom_three_clients_of_one_shard() {
    model(Some(3), || add_one_each(1, &[(&[0], 0), (&[0], 0), (&[0], 0)]));
}

#[test]
fn loom_two_clients_of_two_shards() {
    model(Some(3), || add_one_each(2, &[(&[0, 1], 0), (&[0, 1], 0)]));
}

#[test]
fn loom_precedence_meets_a_newcomer() {
    model(Some(3), || add_one_each(1, &[(&[0], PATIENCE), (&[0], 0)]));
}

#[test]
fn loom_precedence_is_wanted_twice() {
    model(Some(3), || add_one_each(2, &[(&[0, 1], PATIENCE), (&[0, 1], PATIENCE)]));
}

#[test]
fn loom_a_client_with_precedence_leaves() {
    model(Some(3), || {
        let bell = Arc::new(Notify::new());
        let ring = Arc::clone(&bell);
        let wake = move |ticket: Ticket| {
            if ticket.client == 1 {
                ring.notify()
            }
        };
        let shards = Arc::new(Shards::new(1, wake, |_| ()));
        let mut set = ShardSet::of(0);
        let held = shards.try_lock_set(&mut set).expect("nobody else is there");
        let leaver = {
            let shards = Arc::clone(&shards);
            loom::thread::spawn(move || {
                let mut attempt = Attempt::after(Ticket { thread: 0, client: 0 }, PATIENCE);
                drop(shards.lock_or_park(&mut ShardSet::of(0), &mut attempt));
                shards.give_up(&mut attempt);
            })
        };
        let newcomer = {
            let shards = Arc::clone(&shards);
            loom::thread::spawn(move || {
                let mut attempt = Attempt::new(Ticket { thread: 1, client: 1 });
                while shards.lock_or_park(&mut ShardSet::of(0), &mut attempt).is_err() {
                    bell.wait();
                }
            })
        };
        drop(held);
        leaver.join().expect("the client does not panic");
        newcomer.join().expect("the client does not panic");
    });
}

#[test]
fn loom_a_script_waits_for_a_shard_below_its_own() {
    model(Some(3), || {
        let bell = Arc::new(Notify::new());
        let ring = Arc::clone(&bell);
        let shards = Arc::new(Shards::new(2, move |_| ring.notify(), |_| 0));
        let script = {
            let shards = Arc::clone(&shards);
            loom::thread::spawn(move || {
                let mut own = ShardSet::of(1);
                let mut guard = shards.lock_set_blocking(&mut own);
                guard.extend_waiting(&ShardSet::of(0), || {});
                *guard.get_mut(0) += 1;
                *guard.get_mut(1) += 1;
            })
        };
        let mut attempt = Attempt::new(Ticket { thread: 0, client: 0 });
        loop {
            match shards.lock_or_park(&mut ShardSet::all(2), &mut attempt) {
                Ok(mut guard) => break *guard.get_mut(0) += 1,
                Err(_) => bell.wait(),
            }
        }
        script.join().expect("the script does not panic");
        assert_eq!(*shards.lock_set_blocking(&mut ShardSet::of(0)).get(0), 2);
    });
}
