"""What redis-py knows of users: making them, logging in as them, and what they are refused."""

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

ONCE = Retry(NoBackoff(), 0)


@pytest.fixture
def ann(port, protocol, r):
    """A client that is logged in as a user who may do little."""
    r.acl_setuser(
        "ann", enabled=True, reset=True, passwords=["+secret"], keys=["app:*"], commands=["+get", "+set", "+multi", "+exec"]
    )
    client = redis.Redis(
        port=port, protocol=protocol, username="ann", password="secret", decode_responses=True, retry=ONCE
    )
    yield client
    client.close()
    r.acl_deluser("ann")


def test_a_user_is_made_and_shown(r):
    assert r.acl_setuser(
        "bob",
        enabled=True,
        reset=True,
        passwords=["+one", "+two"],
        categories=["+@read", "-@dangerous"],
        commands=["+set", "-mget"],
        keys=["a*", "b*"],
        channels=["news"],
        selectors=[("+get", "%R~c*")],
    )
    shown = r.acl_getuser("bob")
    assert shown["flags"] == ["on"] or shown["flags"] == {"on"}
    assert shown["enabled"] is True
    assert len(shown["passwords"]) == 2
    assert sorted(shown["categories"]) == ["+@read", "-@all", "-@dangerous"]
    assert sorted(shown["commands"]) == ["+set", "-mget"]
    assert shown["keys"] == ["~a*", "~b*"] and shown["channels"] == ["&news"]
    assert "bob" in r.acl_users()
    assert any(line.startswith("user bob on #") for line in r.acl_list())
    assert r.acl_deluser("bob") == 1
    assert r.acl_getuser("bob") is None


def test_a_user_may_do_what_its_rules_say(ann):
    assert ann.set("app:1", "x") is True
    assert ann.get("app:1") == "x"
    with pytest.raises(redis.exceptions.NoPermissionError, match="No permissions to access a key"):
        ann.get("other")
    with pytest.raises(redis.exceptions.NoPermissionError, match="User ann has no permissions to run the 'incrby' command"):
        ann.incr("app:1")
    with ann.pipeline() as pipe, pytest.raises(redis.exceptions.RedisError):
        pipe.set("app:2", 1).set("other", 1).execute()
    assert ann.get("app:2") is None


def test_a_wrong_password_is_an_error_of_authentication(port, protocol, r):
    r.acl_log_reset()
    with pytest.raises(redis.exceptions.AuthenticationError):
        redis.Redis(port=port, protocol=protocol, username="nobody", password="x", retry=ONCE).ping()
    entry = r.acl_log()[0]
    assert (entry["reason"], entry["username"], entry["object"]) == ("auth", "nobody", "HELLO" if protocol == 3 else "AUTH")
    assert "addr" in entry["client-info"]


def test_categories_passwords_and_dry_runs(r, ann):
    assert "hash" in r.acl_cat()
    assert "hset" in r.acl_cat("hash")
    assert len(r.acl_genpass()) == 64
    assert r.acl_whoami() == "default"
    assert r.acl_dryrun("ann", "get", "app:1") == "OK"
    assert r.acl_dryrun("ann", "get", "other") == "User ann has no permissions to access the 'other' key"


def test_the_connection_of_a_removed_user_is_closed(r, ann):
    ann.set("app:1", 1)
    assert r.acl_deluser("ann") == 1
    with pytest.raises(redis.exceptions.RedisError):
        ann.get("app:1")
