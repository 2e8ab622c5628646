//! Deadlines: what is due is invisible at once, and soon removed though nobody asks for it.

use ochre_client_tests::{eventually, in_each_layout};

#[test]
fn what_is_due_is_invisible() {
    in_each_layout(|server| {
        let mut client = server.client();
        client.check("DEBUG SET-ACTIVE-EXPIRE 0", "OK");
        client.check("SET a 1 PX 1", "OK");
        eventually("a is due", || client.run("EXISTS a") == "0");
        for (line, reply) in
            [("GET a", "nil"), ("TYPE a", "none"), ("KEYS *", "[]"), ("TTL a", "-2"), ("RANDOMKEY", "nil")]
        {
            client.check(line, reply);
        }
        client.check("SET a 1", "OK");
        client.check("PEXPIREAT a 1", "1");
        client.check("EXISTS a", "0");
        client.check("SADD s x", "1");
        client.check("EXPIRE s 100", "1");
        client.check("SADD s y", "1");
        client.check("TTL s", "100");
        client.check("PERSIST s", "1");
        client.check("TTL s", "-1");
    });
}

#[test]
fn what_is_due_is_removed_though_nobody_asks_for_it() {
    in_each_layout(|server| {
        let mut client = server.client();
        let mut pipeline = redis::pipe();
        for number in 0..10_000 {
            pipeline.cmd("SET").arg(format!("short:{number}")).arg("x").arg("PX").arg(100 + number % 200).ignore();
        }
        for number in 0..1000 {
            pipeline.cmd("SET").arg(format!("long:{number}")).arg("x").arg("EX").arg(1000).ignore();
            pipeline.cmd("SET").arg(format!("for-ever:{number}")).arg("x").ignore();
        }
        pipeline.exec(&mut client.connection).expect("all are set");
        // DBSIZE counts what lies there, due or not.
        eventually("the short ones are removed", || client.integer("DBSIZE") == 2000);
        let stats = client.run("INFO stats");
        assert!(stats.contains("\r\nexpired_keys:10000\r\n"), "{stats}");
    });
}

#[test]
fn fields_of_a_hash_expire_too() {
    in_each_layout(|server| {
        let mut client = server.client();
        client.check("HSET h a 1 b 2 c 3", "3");
        client.check("HPEXPIRE h 1 FIELDS 2 a b", "[1 1]");
        eventually("two fields are gone", || client.run("HLEN h") == "1");
        client.check("HGETALL h", "[c 3]");
        client.check("HEXPIRE h 100 FIELDS 1 c", "[1]");
        client.check("HTTL h FIELDS 2 c a", "[100 -2]");
        client.check("HPEXPIRE h 1 FIELDS 1 c", "[1]");
        eventually("the hash is gone", || client.run("DBSIZE") == "0");
    });
}
