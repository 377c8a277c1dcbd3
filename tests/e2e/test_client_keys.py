"""Client keys as named grants: who is let in, how they are managed, and that none is kept."""

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor

from router.policy.grants.key_form import format_key

from .granted import WHOLE, Granted, Here, add, child_of, until
from .upstream import plain

UNKNOWN = b"flk_" + b"a" * 28


def test_who_is_let_in(tmp_path, up):
    """A key is known in each of the three headers, and is the request's identity; one that is not known is refused for
    good, also where none is needed, unless the request carries one that is. No upstream gets any of them."""
    up.default = (plain(WHOLE),)
    key = add(tmp_path, "laptop")
    with Granted(tmp_path, up) as one:
        for header, value in (("x-fairlead-key", key), ("x-api-key", key), ("Authorization", b"Bearer " + key)):
            body = b'{"model":"model-a","messages":[]}'
            assert one.ask(value, body=body, header=header.encode()).status == 200
            assert one.latest()["key"] == "laptop"
        for unknown in (UNKNOWN, key[:-1] + (b"a" if key[-1:] != b"a" else b"b"), key[:-3]):
            refused = one.chat(unknown)
            assert (refused.status, refused.field(b"x-should-retry")) == (401, b"false")
        assert one.chat(None).status == 200
        assert one.latest()["key"] is None
        both = one.ask(key, "/v1/chat/completions", b'{"model":"model-a","messages":[]}', (b"x-api-key", UNKNOWN))
        assert both.status == 200
    sent = b"".join(name + value for seen in up.seen for name, value in seen.lines)
    assert b"flk_" not in sent


def test_a_flood_of_unknown_keys(tmp_path, up):
    """Each is refused for good and counted, a bounded number is recorded, and who has a key is served meanwhile. None
    is answered late: that would hold the connections, of which there are few, for as long."""
    up.default = (plain(WHOLE),)
    key, ended = add(tmp_path, "laptop"), threading.Event()
    with Granted(tmp_path, up) as one, ThreadPoolExecutor(4) as pool:

        def flood(_):
            sent = 0
            while not ended.is_set() and sent < 300:
                assert one.chat(format_key(os.urandom(16)).encode()).status == 401
                sent += 1
            return sent

        floods = [pool.submit(flood, number) for number in range(4)]
        assert [one.chat(key).status for _ in range(20)] == [200] * 20
        ended.set()
        sent = sum(each.result() for each in floods)
        assert sent > 10
        assert one.operate("/status").json()["refused"] == {"wrong key": sent}
        assert until(lambda: one.operate("/analytics").json()["total"]["requests"] >= 30)
        rows = one.operate("/admin/history?limit=1000").json()["requests"]
        # A minute may have ended between.
        assert sum(row["status"] == 401 for row in rows) in range(10, 21)
        assert not one.operate("/analytics").json()["total"]["cost_usd"]


def test_the_default_key_stays(tmp_path, up):
    """api_key has no limits, and is the key `default`; where it is needed, a named key does as well, and none does
    not."""
    up.default = (plain(WHOLE),)
    key, secret = add(tmp_path, "laptop", models="model-b"), b"chosen-0123456789-0123456789-0123456789"
    with Granted(tmp_path, up, api_key=secret.decode(), require_key="on") as one:
        assert [one.chat(secret).status, one.latest()["key"]] == [200, "default"]
        assert [one.chat(key, "model-b").status, one.chat(key).status] == [200, 403]
        assert [one.chat(None).status, one.chat(b"other").status, one.chat(UNKNOWN).status] == [401] * 3


def test_operators_do_what_commands_do(tmp_path, up):
    """Add, list, change, rotate with grace, revoke: each holds for the next request."""
    up.default = (plain(WHOLE),)
    with Granted(tmp_path, up) as one:
        made = one.operate("/admin/keys", {"name": "ci", "options": {"models": ["model-a"], "rpm": 600}})
        key = made.json()["key"].encode()
        assert (made.status, one.chat(key).status, one.chat(key, "model-b").status) == (201, 200, 403)
        assert one.operate("/admin/keys", {"name": "ci"}).status == 409
        assert one.operate("/admin/keys/ci", {"options": {"models": None}}).status == 200
        assert one.chat(key, "model-b").status == 200
        new = one.operate("/admin/keys/ci/rotate", {"grace_s": 3600}).json()["key"].encode()
        assert [one.chat(key).status, one.chat(new).status] == [200, 200]
        newest = one.operate("/admin/keys/ci/rotate", {}).json()["key"].encode()
        assert [one.chat(new).status, one.chat(newest).status] == [401, 200]
        [listed] = one.operate("/admin/keys").json()["keys"]
        assert (listed["name"], listed["options"], listed["last4"]) == ("ci", {"rpm": 600}, newest[-4:].decode())
        assert one.operate("/admin/keys/ci", {"options": {"colour": 1}}).status == 400
        assert one.operate("/admin/keys/ci", {"options": {"expires": "2020-01-01"}}).status == 200
        ended = one.chat(newest)
        assert (ended.status, "expired after 2020-01-01" in ended.json()["error"]["message"]) == (401, True)
        assert one.operate("/admin/keys/ci", method="DELETE").status == 200
        assert [one.chat(newest).status, one.operate("/admin/keys/ci", method="DELETE").status] == [401, 404]


def test_no_secret_is_kept(tmp_path, up):
    """Of keys nothing but digests is in the home, its history, its log and the captures."""
    up.default = (plain(WHOLE),)
    named = add(tmp_path, "laptop")
    log = tmp_path / "access.log"
    with Granted(tmp_path, up, log_file=str(log), history_capture="on", verbose="2") as one:
        child = one.operate("/admin/keys/child", child_of(Here)).json()["key"].encode()
        for key in (named, child):
            told = json.dumps({"model": "model-a", "messages": [{"role": "user", "content": f"see {key.decode()}"}]})
            assert one.ask(key, body=told.encode()).status == 200
        assert one.chat(named[:-1] + b"!").status == 401
        assert until(lambda: one.operate("/analytics").json()["total"]["requests"] >= 2)
        one.operate("/status")
    kept = [path for path in (tmp_path).rglob("*") if path.is_file()]
    assert log in kept
    for path in kept:
        data = path.read_bytes()
        assert not [key for key in (named, child, named[:-1]) if key in data], path
