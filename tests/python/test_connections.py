"""What redis-py does with connections: pipelines, transactions, messages, the asyncio client."""

import asyncio

import pytest
import redis
import redis.asyncio


def test_the_client_introduces_itself(r, protocol):
    assert r.ping() is True
    me = r.client_list(client_id=[r.client_id()])[0]
    assert me["lib-name"].startswith("redis-py")
    assert me["resp"] == str(protocol)
    assert r.client_setname("tester") is True
    assert r.client_getname() == "tester"


def test_a_pipeline_is_a_transaction(r):
    with r.pipeline(transaction=True) as pipe:
        assert pipe.set("a", 1).incr("a").get("a").execute() == [True, 2, "2"]


def test_a_pipeline_without_a_transaction_goes_on_after_an_error(r):
    with r.pipeline(transaction=False) as pipe:
        replies = pipe.set("a", "x").incr("a").get("a").execute(raise_on_error=False)
    assert replies[0] is True and replies[2] == "x"
    assert isinstance(replies[1], redis.ResponseError)


def test_a_watched_key_that_changes_ends_the_transaction(port, r):
    r.set("a", 1)
    with redis.Redis(port=port) as other, r.pipeline() as pipe:
        pipe.watch("a")
        other.set("a", 2)
        pipe.multi()
        pipe.set("a", 3)
        with pytest.raises(redis.WatchError):
            pipe.execute()
    assert r.get("a") == "2"


def test_a_transaction_function_counts_every_increment(r):
    def add_one(pipe):
        value = int(pipe.get("n") or 0)
        pipe.multi()
        pipe.set("n", value + 1)

    for _ in range(20):
        r.transaction(add_one, "n")
    assert r.get("n") == "20"


def test_messages_reach_subscribers(r):
    with r.pubsub() as listener:
        listener.subscribe("news")
        listener.psubscribe("new*")
        kinds = [listener.get_message(timeout=30)["type"] for _ in range(2)]
        assert kinds == ["subscribe", "psubscribe"]
        assert r.publish("news", "hello") == 2
        messages = sorted((listener.get_message(timeout=30) for _ in range(2)), key=lambda message: message["type"])
        assert [(m["type"], m["channel"], m["data"]) for m in messages] == [
            ("message", "news", "hello"),
            ("pmessage", "news", "hello"),
        ]
        assert r.pubsub_numsub("news") in ([("news", 1)], {"news": 1})


def test_databases_are_apart(port, protocol, r):
    r.set("a", 0)
    with redis.Redis(port=port, protocol=protocol, db=3, decode_responses=True) as third:
        assert third.get("a") is None
        third.set("a", 3)
        assert r.get("a") == "0"
        third.flushdb()
    assert r.get("a") == "0"


def test_errors_have_their_types(r):
    r.set("a", "x")
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        r.sadd("a", 1)
    with pytest.raises(redis.ResponseError, match="unknown command 'NONSENSE'"):
        r.execute_command("NONSENSE")


def test_asyncio_runs_many_commands_at_once(port, protocol):
    async def main():
        async with redis.asyncio.Redis(port=port, protocol=protocol, decode_responses=True) as client:
            await client.delete("n", "a")
            assert sorted(await asyncio.gather(*(client.incr("n") for _ in range(100)))) == list(range(1, 101))
            async with client.pipeline(transaction=True) as pipe:
                assert await pipe.set("a", 1).get("a").execute() == [True, "1"]
            async with client.pubsub() as listener:
                await listener.subscribe("news")
                assert (await listener.get_message(timeout=30))["type"] == "subscribe"
                await client.publish("news", "hello")
                assert (await listener.get_message(timeout=30))["data"] == "hello"

    asyncio.run(main())
