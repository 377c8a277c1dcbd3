"""Proxies of one team on a real server: accounts, sessions and ids are known to all, and a dump tells nothing."""

import json
import os
import socket
import subprocess
import sys
import time

import pytest

from ..commands import run_in_home
from ..patience import PATIENCE
from .pools import pooled
from .processes import backend, until
from .team import ANSWER, CANARIES, USAGE, Team, message
from .upstream import Upstream, plain
from .wire import ask

MESSAGE_ANSWER = plain(json.dumps({**ANSWER, "content": [], "usage": USAGE}).encode())
CHAT_ANSWER = plain(
    json.dumps(
        {
            "id": "c1",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [
                {"index": 0, "message": {"role": "assistant", "content": "s3cret-answer"}, "finish_reason": "stop"}
            ],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        }
    ).encode()
)


@pytest.fixture
def up():
    """An upstream that answers messages."""
    found = Upstream(models=("m",))
    found.default = (MESSAGE_ANSWER,)
    yield found
    found.stop()


def dump(server):
    """Every byte of every value on the server."""
    found = b""
    opened = socket.create_connection(("127.0.0.1", server.port), PATIENCE)
    with opened as connection, connection.makefile("rb") as stream:

        def answer():
            line = stream.readline()
            kind, rest = line[:1], line[1:].strip()
            if kind == b"*":
                return [answer() for _ in range(int(rest))]
            return (stream.read(int(rest) + 2)[:-2] if rest != b"-1" else b"") if kind == b"$" else rest

        def call(*words):
            connection.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
            return answer()

        reads = {
            b"string": (b"GET",),
            b"hash": (b"HGETALL",),
            b"zset": (b"ZRANGE", b"0", b"-1"),
            b"set": (b"SMEMBERS",),
        }
        for key in call(b"KEYS", b"*"):
            command, *rest = reads[call(b"TYPE", key)]
            found += key + b"\n" + repr(call(command, key, *rest)).encode()
    return found


def test_an_account_that_is_parked_at_one_is_parked_at_all(tmp_path, up):
    """A 429 at one proxy closes the account at the other, for as long, and a session goes to the other account there;
    the server's values hold no prompt and no key."""
    with Team(tmp_path, up) as team:
        up.script(plain(b"{}", b"429 Too Many Requests", (b"retry-after", b"600")))
        first = team.message(0)
        assert first.status == 200
        refused = "a0" if first.field(b"x-fairlead-account") == b"a1" else "a1"
        there = until(lambda: (found := team.account(1, refused))["state"] == "parked" and found)
        assert there, team.account(1, refused)
        assert 500 < there["until_s"] <= 600
        assert team.message(1).field(b"x-fairlead-account") == first.field(b"x-fairlead-account")
        said = dump(team.server)
        assert b"box" not in said.split(b"own")[0]
        assert [one for one in CANARIES if one in said] == []


def test_a_session_keeps_its_account_across_proxies(tmp_path, up):
    """A session that began at one proxy goes on at the other with the account that has its prompt in the cache."""
    with Team(tmp_path, up) as team:
        used = {}
        for number in range(8):
            used[number] = team.message(0, f"session-number-{number}").field(b"x-fairlead-account")
        assert set(used.values()) == {b"a0", b"a1"}
        assert until(lambda: team.count_rows("sessions") == len(used))
        # What was told is taken over with the next exchange and step.
        again = until(
            lambda: all(
                team.message(1, f"session-number-{number}").field(b"x-fairlead-account") == account
                for number, account in used.items()
            )
        )
        assert again


def test_ids_made_at_one_work_at_the_other(tmp_path, up):
    """A response and a batch that one proxy made are found by the other, at the account that made them, also where a
    request goes on from the response."""
    with Team(tmp_path, up, backends=None) as team:
        for path, made in (
            ("/v1/responses", {"id": "resp_abcdef0123456789", "object": "response", "output": []}),
            ("/v1/messages/batches", {"id": "msgbatch_0123456789abc", "type": "message_batch"}),
        ):
            up.script(plain(json.dumps(made).encode()))
            begun = team.ask(0, path, {"model": "m", "input": "x"} if "responses" in path else {"requests": []})
            assert begun.status == 200, begun.body
            account = begun.field(b"x-fairlead-account")
            for _ in range(4):
                up.script(plain(json.dumps(made).encode()))
                found = team.ask(1, f"{path}/{made['id']}", None)
                assert (found.status, found.field(b"x-fairlead-account")) == (200, account), found.body
            if "responses" in path:
                following = {"model": "m", "input": "y", "previous_response_id": made["id"]}
                for _ in range(4):
                    up.script(plain(json.dumps({**made, "id": "resp_next"}).encode()))
                    found = team.ask(1, path, following)
                    assert (found.status, found.field(b"x-fairlead-account")) == (200, account), found.body


OPENAI_PART = {"type": "input_file", "file_id": "file-abc123"}
GEMINI_PART = {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/abc-123"}}
MESSAGES_PART = {"type": "document", "source": {"type": "file", "file_id": "file_011CNha8iCJcU1wXNR6q4V8w"}}
#: Protocol -> where files are uploaded, the answer, the path of the file, and a request that names it.
FILES = {
    "messages": (
        "/v1/files",
        {"id": "file_011CNha8iCJcU1wXNR6q4V8w", "type": "file", "filename": "x"},
        "/v1/files/file_011CNha8iCJcU1wXNR6q4V8w",
        "/v1/messages",
        {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": [MESSAGES_PART]}]},
    ),
    "responses": (
        "/v1/files",
        {"id": "file-abc123", "object": "file", "purpose": "user_data"},
        "/v1/files/file-abc123",
        "/v1/responses",
        {"model": "m", "input": [{"role": "user", "content": [OPENAI_PART]}]},
    ),
    "gemini": (
        "/upload/v1beta/files",
        {"file": {"name": "files/abc-123", "uri": GEMINI_PART["fileData"]["fileUri"]}},
        "/v1beta/files/abc-123",
        "/v1beta/models/m:generateContent",
        {"contents": [{"role": "user", "parts": [GEMINI_PART]}]},
    ),
}


@pytest.mark.parametrize("protocol", FILES)
def test_a_file_of_one_is_used_at_the_other(tmp_path, up, protocol):
    """A file that was uploaded at one proxy is got, named in a request and deleted at the other, each at the account
    that has it; requests that name no such file go to several."""
    upload, made, path, call, body = FILES[protocol]
    kind = (b"Content-Type", b"multipart/form-data; boundary=x")
    form = b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nuser_data\r\n--x--\r\n'
    box = pooled("box", up.root, protocols=[protocol])
    version = [(b"anthropic-version", b"2023-06-01")] if protocol == "messages" else []
    with Team(tmp_path, up, backends=[box], tables='passthrough = "all"\npool.strategy = "round-robin"\n') as team:

        def account(at, *arguments, **options):
            up.script(plain(json.dumps(made if arguments[0] == upload else {}).encode()))
            asked = [*arguments, *([] if len(arguments) > 1 else [None]), *version]
            answered = ask(team.proxies[at].port, *asked, **options)
            assert answered.status == 200, answered.body
            return answered.field(b"x-fairlead-account")

        owner = account(0, upload, form, kind=kind)
        for _ in range(3):
            assert account(1, path) == owner
            assert account(1, call, json.dumps(body).encode()) == owner
        assert account(1, path, method="DELETE") == owner
        unknown = json.dumps(body).replace("abc", "xyz").replace("011C", "012C").encode()
        assert len({account(1, call, unknown) for _ in range(4)}) > 1


def test_an_id_is_not_guessed_while_the_server_is_away(tmp_path, up):
    """An id that a proxy has not seen is refused with 503 while it cannot be looked up; all else goes on."""
    with Team(tmp_path, up) as team:
        made = {"id": "msgbatch_0123456789abd", "type": "message_batch"}
        up.script(plain(json.dumps(made).encode()))
        assert team.ask(0, "/v1/messages/batches", {"requests": []}).status == 200
        team.server.kill()
        refused = team.ask(1, f"/v1/messages/batches/{made['id']}", None)
        assert refused.status == 503
        assert b"shared.url" in refused.body
        assert team.message(1).status == 200
        up.script(plain(json.dumps(made).encode()))
        assert team.ask(0, f"/v1/messages/batches/{made['id']}", None).status == 200


def test_translated_answers_go_on_at_the_other(tmp_path, up):
    """An answer of a backend that stores nothing is continued, shown and deleted at another proxy; the server holds it
    sealed."""
    up.default = (CHAT_ANSWER,)
    with Team(tmp_path, up, backends=[backend("box", up.root, protocols=("chat",))]) as team:
        first = team.ask(0, "/v1/responses", {"model": "m", "input": "pr0mpt-canary"}).json()
        following = {"model": "m", "input": "second", "previous_response_id": first["id"]}
        assert until(lambda: team.ask(1, "/v1/responses", following).status == 200)
        turns = json.loads(up.seen[-1].body)["messages"]
        assert [turn["content"] for turn in turns] == ["pr0mpt-canary", "s3cret-answer", "second"]
        assert team.ask(1, f"/v1/responses/{first['id']}", None).json()["id"] == first["id"]
        said = dump(team.server)
        assert first["id"].encode() not in said
        assert [one for one in CANARIES if one in said] == []
        assert team.ask(1, f"/v1/responses/{first['id']}", None).status == 200


def keys(team, at, *arguments):
    """What `fairlead keys …` prints at the home of one proxy."""
    proxy = team.proxies[at]
    own = {"FAIRLEAD_HOME": str(proxy.home), "HOME": str(proxy.home.parent), "FAIRLEAD_SHARED_URL": team.server.url}
    environ = {**os.environ, **own}
    command = [sys.executable, "-m", "router", "keys", *arguments]
    return subprocess.run(command, capture_output=True, env=environ, timeout=PATIENCE, check=True).stdout.strip()


def statuses(team, at, key):
    """The status of a request with this key at one proxy."""
    body, _ = message()
    return team.ask(at, "/v1/messages", body, (b"x-api-key", key)).status


@pytest.mark.parametrize("revoker", [0, 1])
def test_a_key_made_at_one_is_accepted_and_refused_at_all(tmp_path, up, revoker):
    """A key that was added at one proxy serves at the other, with its limits; revoked at either it is refused at the
    other within a second, and its secret is nowhere on the server."""
    with Team(tmp_path, up, settings={"FAIRLEAD_REQUIRE_KEY": "on"}) as team:
        key = keys(team, 0, "add", "laptop", "--models", "m")
        assert until(lambda: statuses(team, 1, key) == 200)
        other = json.dumps({"model": "box:other", "max_tokens": 9, "messages": []}).encode()
        assert team.ask(1, "/v1/messages", other, (b"x-api-key", key)).status == 400
        said = dump(team.server)
        assert key not in said
        assert b"laptop" in said
        if revoker:
            assert until((team.proxies[1].home / "shared" / "keys.json").exists)
        keys(team, revoker, "revoke", "laptop")
        since = time.monotonic()
        assert until(lambda: statuses(team, 1 - revoker, key) == 401)
        took = time.monotonic() - since
        assert took < 1.0, took
        assert until(lambda: statuses(team, revoker, key) == 401)


def test_a_key_is_changed_at_any(tmp_path, up):
    """Limits and a new secret that are given at a proxy which did not make the key count at all within a second, and
    each of them lists the key."""
    with Team(tmp_path, up, settings={"FAIRLEAD_REQUIRE_KEY": "on"}) as team:
        key = keys(team, 0, "add", "laptop", "--models", "m")
        assert until(lambda: statuses(team, 1, key) == 200)
        assert until((team.proxies[1].home / "shared" / "keys.json").exists)
        keys(team, 1, "set", "laptop", "--models", "other")
        since = time.monotonic()
        assert until(lambda: statuses(team, 0, key) == 400)
        assert time.monotonic() - since < 1.0
        assert statuses(team, 1, key) == 400
        assert until(lambda: not (team.proxies[0].home / "keys" / "laptop.json").exists())
        fresh = keys(team, 0, "rotate", "laptop")
        since = time.monotonic()
        assert until(lambda: statuses(team, 1, key) == 401)
        assert time.monotonic() - since < 1.0
        assert [statuses(team, at, fresh) for at in (0, 1)] == [400, 400]
        assert statuses(team, 0, key) == 401
        for at in (0, 1):
            (listed,) = team.operate(at, "/admin/keys")["keys"]
            assert (listed["name"], listed["options"], listed["last4"]) == (
                "laptop",
                {"models": ["other"]},
                fresh.decode()[-4:],
            )
            assert listed["elsewhere"] == bool(at)


def test_a_changed_budget_is_told(tmp_path, up):
    """Who changes a budget of a team is told at the others within a second, in the log, status and doctor, until all
    have the same."""
    with Team(tmp_path, up, tables="guard.day_usd = 5\n") as team:
        until(lambda: team.count_rows("settings") == 2)
        assert team.operate(1, "/status")["problems"] == []

        def set_limit(at, value):
            done = run_in_home(team.proxies[at].home, "config", "set", "guard.day_usd", value)
            assert done.code == 0, done.err

        set_limit(0, "7")
        since = time.monotonic()
        found = until(lambda: team.operate(1, "/status")["problems"])
        assert time.monotonic() - since < 1.0
        assert found[0].startswith("guard.day_usd is 5 here and 7 at ")
        assert "changed guard.day_usd (5 to 7)." in team.proxies[1].log.read_text()
        checked = run_in_home(team.proxies[1].home, "doctor", "proxy").out
        assert b"guard.day_usd is 5 here and 7 at " in b" ".join(checked.split())
        set_limit(1, "7")
        assert until(lambda: not team.operate(1, "/status")["problems"])
        assert until(lambda: not team.operate(0, "/status")["problems"])


def test_keys_outlive_a_flush(tmp_path, up):
    """A server that lost its data gets the keys and the ended ones again from the proxies."""
    with Team(tmp_path, up, settings={"FAIRLEAD_REQUIRE_KEY": "on"}) as team:
        key, ended = (keys(team, 0, "add", name) for name in ("laptop", "lost"))
        assert until(lambda: statuses(team, 1, key) == statuses(team, 1, ended) == 200)
        keys(team, 0, "revoke", "lost")
        assert until(lambda: statuses(team, 1, ended) == 401)
        team.server.command("FLUSHALL")
        assert until(lambda: team.count_rows("keys") == 2)
        assert (statuses(team, 1, key), statuses(team, 1, ended)) == (200, 401)


def test_a_limit_a_minute_is_the_teams(tmp_path, up):
    """Requests of a key at one proxy count in its limit at the other."""
    settings = {"FAIRLEAD_REQUIRE_KEY": "on", "FAIRLEAD_QUEUE_TIMEOUT": "100ms"}
    with Team(tmp_path, up, settings=settings) as team:
        key = keys(team, 0, "add", "laptop", "--rpm", "6")
        assert until(lambda: statuses(team, 1, key) == 200)
        assert [statuses(team, 0, key) for _ in range(3)] == [200] * 3
        assert until(lambda: team.count_rows("rates") == 2)
        # What is told last is known everywhere within two steps; what is let through meanwhile is at most one each.
        refused = [0, 0]
        let = 4

        def both_refuse():
            nonlocal let
            for at in (0, 1):
                status = statuses(team, at, key)
                refused[at] = status == 429
                let += status == 200
                time.sleep(0.5)
            return all(refused)

        assert until(both_refuse)
        assert let in (6, 7)


def test_an_idle_process_asks_the_server_little(tmp_path, up):
    """While nothing happens a process sends at most five commands a second."""
    with Team(tmp_path, up, 1) as team:
        team.message(0)

        def count():
            return int(team.server.read_info("stats", "total_commands_processed"))

        settled = time.monotonic() + 2
        while time.monotonic() < settled:
            time.sleep(0.05)
        before, since = count(), time.monotonic()
        while time.monotonic() < since + 3:
            time.sleep(0.05)
        assert (count() - before - 1) / (time.monotonic() - since) <= 5
