//! The wire: pipelines, inline commands, big values, mistakes.

use ochre_client_tests::{in_each_layout, on_each_backend};

#[test]
fn a_value_comes_back() {
    in_each_layout(|server| {
        let mut client = server.client();
        client.check("SET greeting hello", "OK");
        client.check("GET greeting", "hello");
        client.check("GET nothing", "nil");
        client.check("INCR greeting", "-ERR value is not an integer or out of range");
    });
}

#[test]
fn a_hundred_thousand_commands_in_one_pipeline_are_answered_in_order() {
    on_each_backend("", |server| {
        let mut pipeline = redis::pipe();
        for number in 0..100_000 {
            pipeline.cmd("SET").arg(format!("key:{}", number % 1000)).arg(number).ignore();
            pipeline.cmd("INCR").arg("counter");
        }
        let mut client = server.client();
        let counts: Vec<i64> = pipeline.query(&mut client.connection).expect("all commands succeed");
        assert!(counts.into_iter().eq(1..=100_000));
        client.check("GET key:999", "99999");
    });
}
