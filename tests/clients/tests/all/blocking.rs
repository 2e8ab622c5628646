//! Clients that wait for a key: who is served, in which order, and that nothing is lost.

use ochre_client_tests::{Raw, Server, eventually, in_each_layout};
use std::collections::BTreeMap;

/// A client that waits now.
fn waiting(server: &Server, line: &str) -> Raw {
    let mut watcher = server.client();
    let before = blocked(&mut watcher);
    let mut raw = server.raw();
    raw.send(format!("{line}\n"));
    eventually("the client waits", || blocked(&mut watcher) > before);
    raw
}

fn blocked(client: &mut ochre_client_tests::Client) -> usize {
    client.run("CLIENT LIST").matches(" flags=b ").count()
}

fn words(words: &[&str]) -> String {
    let words_shown: String = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    format!("*{}\r\n{words_shown}", words.len())
}

#[test]
fn whoever_waited_longest_is_served_first() {
    in_each_layout(|server| {
        let mut clients: Vec<Raw> = (0..8).map(|_| waiting(server, "BLPOP list other 0")).collect();
        let mut client = server.client();
        client.check("RPUSH list 0 1 2", "3");
        client.check("LPUSH other 3", "1");
        for (number, raw) in clients[..3].iter_mut().enumerate() {
            raw.expect(words(&["list", &number.to_string()]));
        }
        clients[3].expect(words(&["other", "3"]));
        assert_eq!(blocked(&mut client), 4);
        client.check("EXISTS list other", "0");
    });
}

#[test]
fn each_command_that_waits_is_served() {
    in_each_layout(|server| {
        let mut client = server.client();
        let mut check = |waits: &str, comes: &str, reply: &str, left: (&str, &str)| {
            client.check("FLUSHALL", "OK");
            let mut raw = waiting(server, waits);
            client.run(comes);
            raw.expect(reply);
            client.check(left.0, left.1);
        };
        check("BRPOP l 0", "RPUSH l 1 2", &words(&["l", "2"]), ("LRANGE l 0 -1", "[1]"));
        check("BLMOVE l m LEFT RIGHT 0", "RPUSH l 1 2", "$1\r\n1\r\n", ("LRANGE m 0 -1", "[1]"));
        check("BRPOPLPUSH l m 0", "RPUSH l 1 2", "$1\r\n2\r\n", ("LRANGE m 0 -1", "[2]"));
        check(
            "BLMPOP 0 2 x l LEFT COUNT 5",
            "RPUSH l 1 2",
            "*2\r\n$1\r\nl\r\n*2\r\n$1\r\n1\r\n$1\r\n2\r\n",
            ("EXISTS l", "0"),
        );
        check("BZPOPMIN z 0", "ZADD z 2 b 1 a", &words(&["z", "a", "1"]), ("ZRANGE z 0 -1", "[b]"));
        check("BZPOPMAX z 0", "ZADD z 2 b 1 a", &words(&["z", "b", "2"]), ("ZRANGE z 0 -1", "[a]"));
        check("BLPOP l 0", "RENAME missing l", "", ("EXISTS l", "0"));
        check("BLPOP l 0", "LMOVE missing l LEFT LEFT", "", ("EXISTS l", "0"));
    });
}

#[test]
fn a_key_that_comes_by_another_way_wakes_too() {
    in_each_layout(|server| {
        let mut client = server.client();
        for (prepares, comes) in [
            ("RPUSH source 1", "RENAME source list"),
            ("RPUSH source 1", "COPY source list"),
            ("RPUSH source 1", "LMOVE source list LEFT LEFT"),
            ("RPUSH source 1", "SORT source STORE list"),
        ] {
            client.check("FLUSHALL", "OK");
            let mut raw = waiting(server, "BLPOP list 0");
            client.run(prepares);
            client.run(comes);
            raw.expect(words(&["list", "1"]));
        }
        client.check("FLUSHALL", "OK");
        let mut raw = waiting(server, "BLPOP list 0");
        for line in ["MULTI", "RPUSH list 1", "RPUSH list 2", "LPOP list", "EXEC"] {
            client.run(line);
        }
        raw.expect(words(&["list", "2"]));
        // What is there and gone within a transaction was never there.
        let mut raw = waiting(server, "BLPOP list 0");
        for line in ["MULTI", "RPUSH list 1", "DEL list", "EXEC"] {
            client.run(line);
        }
        // A key of another kind does not wake either.
        client.run("SET list x");
        client.run("DEL list");
        client.run("RPUSH list 3");
        raw.expect(words(&["list", "3"]));
    });
}

#[test]
fn a_served_client_may_serve_the_next() {
    in_each_layout(|server| {
        let mut last = waiting(server, "BLPOP c 0");
        let mut second = waiting(server, "BLMOVE b c LEFT RIGHT 0");
        let mut first = waiting(server, "BLMOVE a b LEFT RIGHT 0");
        server.client().check("RPUSH a 1", "1");
        first.expect("$1\r\n1\r\n");
        second.expect("$1\r\n1\r\n");
        last.expect(words(&["c", "1"]));
        server.client().check("EXISTS a b c", "0");
    });
}

#[test]
fn waiting_ends_in_time_by_command_or_with_the_connection() {
    in_each_layout(|server| {
        let mut client = server.client();
        server.raw().send("BLPOP list 0.05\n").expect("*-1\r\n");
        server.raw().send("BLMOVE list other LEFT LEFT 0.05\n").expect("*-1\r\n");
        client.check("BLPOP list -1", "-ERR timeout is negative");
        client.check("BLPOP list x", "-ERR timeout is not a float or out of range");
        for line in ["MULTI", "BLPOP list 0", "EXEC"] {
            client.run(line);
        }
        let mut raw = server.raw();
        raw.send("CLIENT ID\n");
        let id = raw.line().split_off(1);
        for (how, reply) in [("TIMEOUT", "*-1\r\n"), ("ERROR", "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n")] {
            raw.send("BLPOP list 0\n");
            eventually("the client waits", || client.run(&format!("CLIENT UNBLOCK {id} {how}")) == "1");
            raw.expect(reply);
        }
        client.check(&format!("CLIENT UNBLOCK {id}"), "0");
        // The element goes to somebody who is still there.
        drop(waiting(server, "BLPOP list 0"));
        eventually("nobody waits", || blocked(&mut client) == 0);
        client.check("RPUSH list 1", "1");
        client.check("LPOP list", "1");
    });
}

#[test]
fn what_waits_in_a_pipeline_holds_back_what_comes_behind_it() {
    in_each_layout(|server| {
        let mut raw = waiting(server, "SET a 1\nBLPOP list 0\nGET a");
        raw.expect("+OK\r\n");
        let mut client = server.client();
        client.check("SET a 2", "OK");
        client.check("RPUSH list x", "1");
        raw.expect(words(&["list", "x"])).expect("$1\r\n2\r\n");
    });
}

#[test]
fn each_element_is_taken_once_and_only_once() {
    const PRODUCERS: usize = 4;
    const ELEMENTS: usize = 500;
    in_each_layout(|server| {
        let taken = std::thread::scope(|scope| {
            let produce = |producer| {
                let mut client = server.client();
                for number in 0..ELEMENTS {
                    let (list, end) = (number % 3, if number % 2 == 0 { "RPUSH" } else { "LPUSH" });
                    client.run(&format!("{end} list:{list} {producer}:{number}"));
                }
            };
            let producers: Vec<_> = (0..PRODUCERS).map(|producer| scope.spawn(move || produce(producer))).collect();
            let consumers: Vec<_> =
                ["BLPOP list:0 list:1 list:2 0", "BRPOP list:2 list:1 list:0 0", "BLPOP list:1 list:0 list:2 0"]
                    .into_iter()
                    .cycle()
                    .take(6)
                    .map(|line| {
                        scope.spawn(move || {
                            let mut client = server.client();
                            let mut taken = Vec::new();
                            loop {
                                let reply = client.run(line);
                                let element =
                                    reply.split([' ', ']']).nth(1).expect("a list and its element").to_owned();
                                if element == "end" {
                                    return taken;
                                }
                                taken.push(element);
                            }
                        })
                    })
                    .collect();
            producers.into_iter().for_each(|producer| producer.join().expect("it pushed all"));
            let mut client = server.client();
            eventually("all elements are taken", || {
                client.integer("EXISTS list:0 list:1 list:2") == 0 && blocked(&mut client) == 6
            });
            for _ in 0..6 {
                client.run("RPUSH list:0 end");
            }
            consumers.into_iter().flat_map(|consumer| consumer.join().expect("it got its replies")).collect::<Vec<_>>()
        });
        let mut times = BTreeMap::new();
        taken.iter().for_each(|element| *times.entry(element).or_insert(0) += 1);
        assert!(times.values().all(|times| *times == 1), "taken twice: {times:?}");
        assert_eq!(times.len(), PRODUCERS * ELEMENTS);
    });
}

#[test]
fn each_consumer_gets_the_elements_of_a_producer_in_their_order() {
    const PRODUCERS: usize = 3;
    const ELEMENTS: usize = 400;
    in_each_layout(|server| {
        let taken: Vec<Vec<(usize, usize)>> = std::thread::scope(|scope| {
            let consume = || {
                let mut client = server.client();
                let mut taken = Vec::new();
                loop {
                    let reply = client.run("BLPOP queue 0");
                    let element = reply.split([' ', ']']).nth(1).expect("a list and its element");
                    let Some((producer, number)) = element.split_once(':') else { return taken };
                    let parse = |text: &str| text.parse().expect("a producer wrote a number");
                    taken.push((parse(producer), parse(number)));
                }
            };
            let consumers: Vec<_> = (0..4).map(|_| scope.spawn(consume)).collect();
            let produce = |producer| {
                let mut client = server.client();
                (0..ELEMENTS).for_each(|number| _ = client.run(&format!("RPUSH queue {producer}:{number}")));
            };
            let producers: Vec<_> = (0..PRODUCERS).map(|producer| scope.spawn(move || produce(producer))).collect();
            producers.into_iter().for_each(|producer| producer.join().expect("it pushed all"));
            let mut client = server.client();
            (0..4).for_each(|_| _ = client.run("RPUSH queue end"));
            consumers.into_iter().map(|consumer| consumer.join().expect("it got its replies")).collect()
        });
        assert_eq!(taken.iter().map(Vec::len).sum::<usize>(), PRODUCERS * ELEMENTS);
        for (of_consumer, producer) in taken.iter().flat_map(|taken| (0..PRODUCERS).map(move |number| (taken, number)))
        {
            let numbers = of_consumer.iter().filter(|(by, _)| *by == producer).map(|(_, number)| *number);
            assert!(numbers.is_sorted(), "{of_consumer:?}");
        }
    });
}

#[test]
fn a_reader_that_claims_is_served_when_an_entry_has_been_pending_for_long() {
    in_each_layout(|server| {
        let mut client = server.client();
        client.check("XADD s 1 f v", "1-0");
        client.check("XGROUP CREATE s g 0", "OK");
        client.check("XREADGROUP GROUP g first STREAMS s >", "[[s [[1-0 [f v]]]]]");
        let mut next = waiting(server, "XREADGROUP GROUP g next BLOCK 0 CLAIM 100 STREAMS s >");
        assert_eq!(next.line(), "*1");
        client.check("XPENDING s g", "[1 1-0 1-0 [[next 1]]]");
        let mut timed = waiting(server, "XREADGROUP GROUP g timed BLOCK 50 CLAIM 100000 STREAMS s >");
        timed.expect("*-1\r\n");
    });
}
