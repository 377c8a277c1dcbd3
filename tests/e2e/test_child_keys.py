"""Keys for one process: what they may, and when they end."""

import json
import subprocess
import sys

import pytest

from .budgets import PRICES
from .budgets import answer as costing
from .granted import Granted, Here, add, child_of, configured, until


@pytest.fixture
def process():
    """A process that waits."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield child
    child.kill()
    child.communicate()


def test_a_key_for_a_process(tmp_path, up, process):
    """It has the tag, the models and the budget that were asked for, those of its parent too, and ends with its
    process; what it used is told, and its parent spends it."""
    configured(tmp_path, PRICES)
    add(tmp_path, "laptop", budget_day_usd="0.5", tag="team")
    up.default = [costing(100)]
    with Granted(tmp_path, up) as one:
        asked = child_of(process, name="claude", parent="laptop", budget_usd=0.2, tag="mine", models=["model-a"])
        made = one.operate("/admin/keys/child", asked)
        assert made.status == 201
        key, name = made.json()["key"].encode(), made.json()["name"]
        assert name.startswith("laptop.claude-")
        assert [one.chat(key, "model-b").status, *(one.chat(key).status for _ in range(3))] == [403, 200, 200, 402]
        assert one.ask(key, "/v1/files/file-1").status == 403
        seen = one.operate("/admin/history?limit=2").json()["requests"][1]
        assert (seen["key"], seen["tag"]) == (name, "team")
        inner = one.operate("/admin/keys/child", child_of(Here, name="inner", parent=key.decode())).json()
        assert inner["name"].startswith(f"{name}.inner-")
        assert one.chat(inner["key"].encode()).status == 402
        assert one.operate(f"/admin/keys/child/{name}", {}).status == 200
        process.kill()
        process.wait()
        assert until(lambda: one.chat(key).status == 401)
        assert one.chat(inner["key"].encode()).status == 401
        second = one.operate("/admin/keys/child", child_of(Here, parent="laptop")).json()
        assert [one.chat(second["key"].encode()).status for _ in range(2)] == [200, 200]
        ended = one.operate(f"/admin/keys/child/{second['name']}", method="DELETE").json()
        assert (ended["book"]["requests"], ended["book"]["cost_usd"], ended["book"]["errors"]) == (2, 0.2, 0)
        assert one.chat(second["key"].encode()).status == 401
    with Granted(tmp_path, up) as one:
        # As a launcher does whose proxy was started again.
        again = child_of(Here, name=second["name"], parent="laptop", key=second["key"])
        assert one.operate("/admin/keys/child", again).json()["name"] == second["name"]
        assert one.chat(second["key"].encode()).status == 200


@pytest.mark.parametrize(
    "fields",
    [
        {"pid": 1 << 30, "pid_started": "x"},
        {"pid_started": "then"},
        {"name": "a.b"},
        {"name": "A b"},
        {"budget_usd": -1},
        {"models": ["a\n"]},
        {"tag": "two words"},
        {"ttl_s": 1e9},
        {"key": "flk_short"},
        {"parent": "nobody"},
        {"pid": "x"},
    ],
    ids=str,
)
def test_what_makes_no_key_for_a_process(tmp_path, up, fields):
    """Each wrong field is refused with what was expected, and no key is made."""
    with Granted(tmp_path, up) as one:
        answer = one.operate("/admin/keys/child", {**child_of(Here), **fields})
        assert answer.status in (400, 404), answer.body
        assert one.operate("/admin/keys").json()["children"] == []


def test_a_key_for_a_process_needs_the_operator(tmp_path, up):
    """Neither a caller without the token nor one with a client key can make one."""
    key = add(tmp_path, "laptop", paths="all")
    with Granted(tmp_path, up) as one:
        body = json.dumps(child_of(Here)).encode()
        assert [one.ask(sent, "/admin/keys/child", body).status for sent in (None, key)] == [401, 401]
        assert one.ask(b"Bearer " + key, "/admin/keys", header=b"Authorization").status == 401
