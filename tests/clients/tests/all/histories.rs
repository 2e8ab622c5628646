//! Concurrent clients on few keys: what they saw could have happened one after the other.

use crate::dice::Dice;
use ochre_client_tests::linear::{Event, Store, is_linearizable};
use ochre_client_tests::{Client, Server, in_each_layout};
use std::time::Instant;

const CLIENTS: usize = 6;
const EVENTS: usize = 40;
/// So many histories in each layout, unless `OCHRE_ROUNDS` asks for more.
const ROUNDS: u64 = 100;

fn rounds() -> u64 {
    std::env::var("OCHRE_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().expect("OCHRE_ROUNDS is a number"))
}

/// A random command on a few keys, or a transaction of two.
fn line(dice: &mut Dice) -> String {
    if dice.below(8) == 0 { format!("{};{}", simple(dice), simple(dice)) } else { simple(dice) }
}

fn simple(dice: &mut Dice) -> String {
    let key = |dice: &mut Dice| ["a", "b", "c"][dice.below(3) as usize];
    let value = |dice: &mut Dice| dice.below(3);
    let (one, other) = (key(dice), key(dice));
    match dice.below(10) {
        0 | 1 => format!("GET {one}"),
        2 => format!("SET {one} {}", value(dice)),
        3 | 4 => format!("INCR {one}"),
        5 => format!("APPEND {one} {}", value(dice)),
        6 => format!("SET {one} {} IFEQ {}", value(dice), value(dice)),
        7 => format!("MSET {one} {} {other} {}", value(dice), value(dice)),
        8 => format!("MGET {one} {other}"),
        _ => format!("{} {one}{}", if one == other { "GETDEL" } else { "RENAME" }, rest(one, other)),
    }
}

fn rest(one: &str, other: &str) -> String {
    if one == other { String::new() } else { format!(" {other}") }
}

/// Sends a line, a transaction in one packet; how many replies will come.
fn send(client: &mut Client, line: &str) -> usize {
    let mut pipe = redis::pipe();
    for line in line.split(';') {
        let mut words = line.split(' ');
        let command = pipe.cmd(words.next().expect("a line has words"));
        words.for_each(|word| _ = command.arg(word));
    }
    let in_transaction = line.contains(';');
    if in_transaction {
        pipe.atomic();
    }
    client.connection.send_packed_command(&pipe.get_packed_pipeline()).expect("the connection is open");
    // Of a transaction there are +OK, as often +QUEUED as there are commands, and what EXEC replies.
    if in_transaction { 2 + line.split(';').count() } else { 1 }
}

/// Reads so many replies and shows the last.
fn receive(client: &mut Client, replies: usize) -> String {
    let mut receive = || client.connection.recv_response().expect("the reply comes");
    (1..replies).for_each(|_| _ = receive());
    ochre_client_tests::client::show(&receive())
}

/// Commands of several clients, under way at the same time; what each of them saw. One thread sends and receives for all, so
/// that they overlap as the dice say and not as this machine pleases: what runs side by side is the server.
fn history(server: &Server, seed: u64) -> Vec<Event> {
    let start = Instant::now();
    let now_ns = || start.elapsed().as_nanos() as u64;
    let mut dice = Dice::new(seed);
    let mut idle: Vec<Client> = (0..CLIENTS).map(|_| server.client()).collect();
    let mut under_way = Vec::new();
    let mut history = Vec::new();
    while history.len() + under_way.len() < EVENTS || !under_way.is_empty() {
        let may_send = history.len() + under_way.len() < EVENTS && !idle.is_empty();
        if may_send && (under_way.is_empty() || dice.below(4) > 0) {
            let mut client = idle.swap_remove(dice.below(idle.len() as u64) as usize);
            let line = line(&mut dice);
            let began_ns = now_ns();
            let replies = send(&mut client, &line);
            under_way.push((client, line, began_ns, replies));
        } else {
            let (mut client, line, began_ns, replies) =
                under_way.swap_remove(dice.below(under_way.len() as u64) as usize);
            let reply = receive(&mut client, replies);
            history.push(Event { line, reply, began_ns, ended_ns: now_ns() });
            idle.push(client);
        }
    }
    history
}

#[test]
fn what_concurrent_clients_see_could_have_happened_one_after_the_other() {
    in_each_layout(|server| {
        for seed in 1..=rounds() {
            server.client().check("FLUSHALL", "OK");
            let history = history(server, seed);
            if !is_linearizable(&Store::default(), &history) {
                let lines: Vec<String> = history.iter().map(|event| format!("{event:?}")).collect();
                panic!("no order explains round {seed}:\n{}", lines.join("\n"));
            }
        }
    });
}
