//! What a request costs to parse and a reply to write: `cargo run --release -p ochre-resp --example speed`.

use ochre_resp::{Batch, Limits, Parsed, Parser, Protocol, Reply};
use std::hint::black_box;
use std::time::Instant;

fn main() {
    let key = "key:000000012345";
    for (name, command) in [
        ("PING", vec!["PING"]),
        ("GET, 16-byte key", vec!["GET", key]),
        ("SET, 64-byte value", vec!["SET", key, &"v".repeat(64)]),
        ("SET, 1,000-byte value", vec!["SET", key, &"v".repeat(1_000)]),
        ("MSET, 8 pairs", [&["MSET"], &[key; 16][..]].concat()),
        ("DEL, 200 keys", [&["DEL"], &[key; 200][..]].concat()),
    ] {
        parse(name, &command);
    }
    parse_inline();
    write("ok", |reply| reply.ok());
    write("integer 1", |reply| reply.integer(1));
    write("integer 12345", |reply| reply.integer(12_345));
    write("null", |reply| reply.null());
    for len in [3, 16, 64, 1_000] {
        let value = vec![b'v'; len];
        write(&format!("bulk of {len}"), |reply| reply.bulk(black_box(&value)));
    }
    write("bulk_i64 12345", |reply| reply.bulk_i64(12_345));
    for score in [3.0, 1_700_000_000.0, 0.1, std::f64::consts::PI] {
        write(&format!("double {score}"), |reply| reply.double(black_box(score)));
    }
}

/// The best of some runs of `operations` each, in nanoseconds for one.
fn best(name: &str, operations: usize, mut run: impl FnMut()) {
    let times = (0..30).map(|_| {
        let start = Instant::now();
        for _ in 0..20 {
            run();
        }
        start.elapsed().as_nanos() as f64 / (20 * operations) as f64
    });
    println!("{name:<24} {:7.1} ns", times.fold(f64::INFINITY, f64::min));
}

fn parse(name: &str, command: &[&str]) {
    let mut one = Vec::new();
    let mut reply = Reply::new(&mut one, Protocol::Resp2);
    reply.array(command.len());
    command.iter().for_each(|argument| reply.bulk(argument.as_bytes()));
    measure_parser(name, &one);
}

fn parse_inline() {
    measure_parser("inline GET", b"GET key:000000012345\r\n");
}

fn measure_parser(name: &str, one: &[u8]) {
    let copies = (16 * 1024 / one.len()).max(16);
    let buffer = one.repeat(copies);
    let (mut parser, mut batch, limits) = (Parser::new(), Batch::default(), Limits::default());
    best(name, copies, || {
        let mut at = 0;
        let mut bytes = 0;
        while at < buffer.len() {
            let Ok(Parsed::Command(command)) = parser.next(black_box(&buffer[at..]), &mut batch, &limits) else {
                panic!("whole commands");
            };
            let args = batch.args(&command, &buffer[at..]);
            bytes += args.at(0).len() + args.at(args.len() - 1).len();
            at += command.consumed;
        }
        black_box(bytes);
        batch.clear();
    });
}

fn write(name: &str, write: impl Fn(&mut Reply<'_>)) {
    let mut out = Vec::new();
    best(name, 100, || {
        out.clear();
        let mut reply = Reply::new(black_box(&mut out), Protocol::Resp2);
        (0..100).for_each(|_| write(black_box(&mut reply)));
    });
}
