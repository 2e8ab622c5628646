//! Messages: channels, patterns, keyspace events, across threads.

use ochre_client_tests::server::in_each_layout_with;
use ochre_client_tests::{Raw, in_each_layout};

/// A message or an answer to a subscription, as RESP2 writes arrays of three or four words.
fn message(words: &[&str]) -> String {
    let word = |word: &&str| match word.strip_prefix(':') {
        Some(number) => format!(":{number}\r\n"),
        None => format!("${}\r\n{word}\r\n", word.len()),
    };
    format!("*{}\r\n{}", words.len(), words.iter().map(word).collect::<String>())
}

fn listener(raw: &mut Raw, line: &str, answers: &[&[&str]]) {
    raw.send(format!("{line}\n"));
    for answer in answers {
        raw.expect(message(answer));
    }
}

#[test]
fn messages_reach_all_who_listen_on_any_thread() {
    in_each_layout(|server| {
        let mut listeners: Vec<Raw> = (0..12).map(|_| server.raw()).collect();
        for raw in &mut listeners {
            listener(raw, "SUBSCRIBE news sport", &[&["subscribe", "news", ":1"], &["subscribe", "sport", ":2"]]);
        }
        let mut client = server.client();
        for number in 0..100 {
            client.check(&format!("PUBLISH news {number}"), "12");
        }
        client.check("PUBLISH weather fine", "0");
        for raw in &mut listeners {
            for number in 0..100 {
                raw.expect(message(&["message", "news", &number.to_string()]));
            }
            listener(raw, "UNSUBSCRIBE news", &[&["unsubscribe", "news", ":1"]]);
        }
        client.check("PUBLISH news again", "0");
        client.check("PUBLISH sport on", "12");
        client.check("PUBSUB CHANNELS", "[sport]");
        client.check("PUBSUB NUMSUB sport news", "[sport 12 news 0]");
    });
}

#[test]
fn patterns_get_messages_with_the_channel() {
    in_each_layout(|server| {
        let mut raw = server.raw();
        listener(&mut raw, "PSUBSCRIBE n?ws s*", &[&["psubscribe", "n?ws", ":1"], &["psubscribe", "s*", ":2"]]);
        listener(&mut raw, "SUBSCRIBE news", &[&["subscribe", "news", ":3"]]);
        let mut client = server.client();
        client.check("PUBSUB NUMPAT", "2");
        client.check("PUBLISH news hello", "2");
        raw.expect(message(&["message", "news", "hello"]));
        raw.expect(message(&["pmessage", "n?ws", "news", "hello"]));
        client.check("PUBLISH sport on", "1");
        raw.expect(message(&["pmessage", "s*", "sport", "on"]));
        raw.send("GET a\n").expect(
            "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in \
             this context\r\n",
        );
        raw.send("PING\n").expect(message(&["pong", ""]));
        listener(&mut raw, "PUNSUBSCRIBE s*", &[&["punsubscribe", "s*", ":2"]]);
    });
}

#[test]
fn a_subscriber_of_resp3_may_run_commands() {
    in_each_layout(|server| {
        let mut raw = server.raw();
        raw.send("HELLO 3\n");
        while raw.line() != "*0" {}
        raw.send("SUBSCRIBE news\n").expect(">3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n");
        raw.send("SET a 1\n").expect("+OK\r\n");
        // Who publishes to itself gets the reply first, then the message.
        raw.send("PUBLISH news hello\n").expect(":1\r\n>3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nhello\r\n");
        raw.send("PING\n").expect("+PONG\r\n");
    });
}

#[test]
fn sharded_channels_are_apart_from_the_others() {
    in_each_layout(|server| {
        let mut raw = server.raw();
        listener(&mut raw, "SSUBSCRIBE news", &[&["ssubscribe", "news", ":1"]]);
        let mut client = server.client();
        client.check("PUBLISH news no", "0");
        client.check("SPUBLISH news yes", "1");
        raw.expect(message(&["smessage", "news", "yes"]));
        client.check("PUBSUB SHARDNUMSUB news", "[news 1]");
    });
}

#[test]
fn messages_of_one_publisher_keep_their_order() {
    in_each_layout(|server| {
        let mut raw = server.raw();
        listener(&mut raw, "PSUBSCRIBE *", &[&["psubscribe", "*", ":1"]]);
        let mut pipeline = redis::pipe();
        for number in 0..5000 {
            pipeline.cmd("PUBLISH").arg(format!("c{}", number % 7)).arg(number).ignore();
        }
        pipeline.exec(&mut server.client().connection).expect("all are published");
        for number in 0..5000 {
            raw.expect(message(&["pmessage", "*", &format!("c{}", number % 7), &number.to_string()]));
        }
    });
}

#[test]
fn changes_of_keys_are_told() {
    in_each_layout_with("--notify-keyspace-events KEA", |server| {
        let mut raw = server.raw();
        listener(&mut raw, "PSUBSCRIBE __key*__:*", &[&["psubscribe", "__key*__:*", ":1"]]);
        let mut client = server.client();
        let mut check = |line: &str, events: &[(&str, &str)]| {
            client.run(line);
            for (event, key) in events {
                raw.expect(message(&["pmessage", "__key*__:*", &format!("__keyspace@0__:{key}"), event]));
                raw.expect(message(&["pmessage", "__key*__:*", &format!("__keyevent@0__:{event}"), key]));
            }
        };
        check("SET a 1", &[("set", "a")]);
        check("INCR a", &[("incrby", "a")]);
        check("EXPIRE a 100", &[("expire", "a")]);
        check("RENAME a b", &[("rename_from", "a"), ("rename_to", "b")]);
        check("GET b", &[]);
        check("DEL b missing", &[("del", "b")]);
        check("SADD s x", &[("sadd", "s")]);
        check("SREM s x", &[("srem", "s"), ("del", "s")]);
        check("MSET c 1 d 2", &[("set", "c"), ("set", "d")]);
        check("PEXPIRE c 1", &[("expire", "c"), ("expired", "c")]);
    });
}

#[test]
fn only_the_wanted_classes_of_events_are_told() {
    in_each_layout_with("--notify-keyspace-events Elg", |server| {
        let mut raw = server.raw();
        listener(&mut raw, "PSUBSCRIBE *", &[&["psubscribe", "*", ":1"]]);
        let mut client = server.client();
        client.run("SET a 1");
        client.run("LPUSH l 1");
        client.run("DEL a");
        raw.expect(message(&["pmessage", "*", "__keyevent@0__:lpush", "l"]));
        raw.expect(message(&["pmessage", "*", "__keyevent@0__:del", "a"]));
        client.check("CONFIG GET notify-keyspace-events", "[notify-keyspace-events glE]");
        client.check("CONFIG SET notify-keyspace-events Kl", "OK");
        client.run("RPUSH l 2");
        raw.expect(message(&["pmessage", "*", "__keyspace@0__:l", "rpush"]));
    });
}
