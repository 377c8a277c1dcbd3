"""Which account of a pool serves: budgets, limits and sealed input steer, and the operator sees why."""

import json
import re
from contextlib import asynccontextmanager

import trio

from .flock import ANSWER, Flock, crowd, flock, once
from .pools import KEYS, LONG, configured, message, pooled, served
from .processes import backend

# A request of flock's uses four tokens.
PRICES = "guard.notify = false\npool.strategy = 'fill-first'\n[prices.m]\ninput = 1000\noutput = 1000\n"
CHAT = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'


async def told(serving, path):
    """What an operator endpoint answers."""
    key = (serving.runtime.home.at("operator.token")).read_text().strip()
    answer = await once(serving.port, path, b"", [("authorization", f"Bearer {key}")], method="GET")
    return json.loads(answer.body)


def accounts_used(answers):
    return [one.fields.get("x-fairlead-account") for one in answers]


def test_a_used_up_budget_of_one_account(tmp_path):
    """An account whose budget is used up is passed over, in words; 402 only when no other is left, until a resume."""

    async def main():
        configured(tmp_path, f'{PRICES}[guard.accounts.day_usd]\n"box/a0" = 0.004\n"box/a1" = 0.007\n')
        async with flock({}) as up, served(tmp_path, pooled("box", up.root, KEYS[:2]), **LONG) as serving:

            async def many(number):
                return [await once(serving.port, "/v1/chat/completions", CHAT) for _ in range(number)]

            assert accounts_used(await many(3)) == ["a0", "a1", "a1"]
            [record] = [*serving.runtime.recorder.recent][-1:]
            assert record.notes.startswith(
                "box/a0 passed over: the daily budget of $0.004 for account box/a0 is used up"
            )
            assert (record.error, record.attempts) == ("", 1)
            listed = (await told(serving, "/accounts"))["accounts"]
            assert [(one["state"], one["headroom"]) for one in listed] == [("halted", 0.0)] * 2
            assert all(0 < one["until_s"] <= 90_000 for one in listed)
            assert "for account box/a0 is used up ($0.004 spent)" in listed[0]["reason"]
            [last] = await many(1)
            assert (last.status, last.fields["x-should-retry"]) == (402, "false")
            assert "fairlead resume" in json.loads(last.body)["error"]["message"]
            [record] = [*serving.runtime.recorder.recent][-1:]
            assert (record.error, record.attempts) == ("halted", 0)
            assert sum(up.asked.values()) == 3
            await serving.runtime.guard.resume()
            [again] = await many(1)
            assert (again.status, again.fields["x-fairlead-attempts"]) == (200, "1")

    trio.run(main)


def test_a_budget_that_trips_under_load(tmp_path):
    """Many requests at once as an account's budget ends: all of them are served, by the other one from then on."""

    async def main():
        configured(tmp_path, f'{PRICES}[guard.accounts.day_usd]\n"box/a0" = 0.1\n')
        async with flock({}) as up, served(tmp_path, pooled("box", up.root, KEYS[:2]), **LONG) as serving:
            found = await crowd(serving.port, 200, 16, lambda one, _: one.ask("/v1/chat/completions", CHAT))
            spent = sum(1 for one in found if one.fields["x-fairlead-account"] == "a0")
        assert {one.status for one in found} == {200}
        assert 1 <= spent < 60
        assert sum(up.asked.values()) == 200

    trio.run(main)


def test_a_used_up_budget_along_the_chain(tmp_path):
    """The budget of a backend, or of its only account, sends what it has a chain for along it."""

    async def main():
        limits = '[guard.accounts.day_usd]\n"box/main" = 0.001\n[backends.second]\nbudget.day_usd = 0.001\n'
        configured(tmp_path, PRICES + limits + "[fallback]\nm = ['second:m', 'third:m']\n")
        async with flock({}) as up:
            backends = [backend(name, up.root, auth="key", key=f"key-of-{name}") for name in ("box", "second", "third")]
            async with served(tmp_path, *backends, **LONG) as serving:
                found = [await once(serving.port, "/v1/chat/completions", CHAT) for _ in range(4)]
        assert [(one.status, one.fields["x-fairlead-backend"]) for one in found] == [
            (200, "box"),
            (200, "second"),
            (200, "third"),
            (200, "third"),
        ]
        assert {one.fields["x-fairlead-attempts"] for one in found} == {"1"}

    trio.run(main)


def test_a_model_without_a_price_along_the_chain(tmp_path):
    """guard.unpriced = refuse holds for the model of one backend: the next one's may have a price."""

    async def main():
        limits = "guard.day_usd = 1\nguard.unpriced = 'refuse'\n[prices.priced]\ninput = 1\noutput = 1\n"
        configured(tmp_path, f"{limits}[fallback]\n'odd*' = ['second:priced']\n")
        async with flock({}) as up:
            backends = [backend(name, up.root, auth="key", key=f"key-of-{name}") for name in ("box", "second")]
            async with served(tmp_path, *backends, **LONG) as serving:
                found = await once(serving.port, "/v1/chat/completions", CHAT.replace(b'"m"', b'"box:odd"'))
                alone = await once(serving.port, "/v1/chat/completions", CHAT.replace(b'"m"', b'"box:other"'))
                [served_one, refused] = serving.runtime.recorder.recent
        assert (found.status, found.fields["x-fairlead-backend"]) == (200, "second")
        assert "box/main passed over: no price is known for odd" in served_one.notes
        assert (alone.status, alone.fields["x-should-retry"], refused.error) == (402, "false", "unpriced")
        assert "No price is known for the model 'other' of box" in json.loads(alone.body)["error"]["message"]

    trio.run(main)


def test_limits_of_the_users_own_steer(tmp_path):
    """The account with most left of the rpm that is set for it serves; one that is at it is passed over, not waited
    for; requests wait when all are."""

    async def main():
        configured(tmp_path, '[queue]\ntimeout = "1s"\n[pool.accounts.rpm]\n"box/a0" = 2\n"box/a1" = 4\n')
        async with flock({}) as up, served(tmp_path, pooled("box", up.root, KEYS[:2]), **LONG) as serving:
            found = [await once(serving.port, "/v1/messages", message(text=f"number {one}")) for one in range(6)]
            assert sorted(accounts_used(found)) == ["a0"] * 2 + ["a1"] * 4
            assert accounts_used(found)[:3] == ["a0", "a1", "a1"], "the emptier one was not preferred"
            assert all(one.queued == 0 for one in serving.runtime.recorder.recent)
            listed = (await told(serving, "/accounts"))["accounts"]
            assert {one["state"] for one in listed} == {"parked"}
            assert all("at the rpm you set for it" in one["reason"] for one in listed)
            late = await once(serving.port, "/v1/messages", message())
            assert (late.status, 50 <= int(late.fields["retry-after"]) <= 61) == (429, True)
            assert "a0: parked for" in json.loads(late.body)["error"]["message"]

    trio.run(main)


def test_tokens_steer(tmp_path):
    """What an account has used of the tpm that is set for it counts as soon as its answer ends."""

    async def main():
        configured(tmp_path, '[pool.accounts.tpm]\n"box/a0" = 1000\n"box/a1" = 10000\n')
        async with flock({}) as up, served(tmp_path, pooled("box", up.root, KEYS[:2]), **LONG) as serving:
            found = [await once(serving.port, "/v1/chat/completions", CHAT) for _ in range(3)]
            service = serving.runtime.snapshot.services["box"]
            used = [one.rate_limit.used(service.queue.clock())["tpm"][0] for one in service.pool.members]
        assert accounts_used(found) == ["a0"] * 3, "one conversation moved though nothing was used up"
        assert used == [12, 0]

    trio.run(main)


def test_a_limit_of_a_backend_goes_along_the_chain(tmp_path):
    """A backend whose own rpm is too far away for the queue leaves its requests to the chain."""

    async def main():
        configured(tmp_path, '[queue]\ntimeout = "1s"\n[backends.box]\nrpm = 1\n[fallback]\nm = ["second:m"]\n')
        async with flock({}) as up:
            backends = [backend(name, up.root, auth="key", key=f"key-of-{name}") for name in ("box", "second")]
            async with served(tmp_path, *backends, **LONG) as serving:
                found = [await once(serving.port, "/v1/messages", message()) for _ in range(3)]
                [record] = [*serving.runtime.recorder.recent][-1:]
        assert record.notes.startswith("box passed over: no place for it in time (rpm)")
        assert [(one.status, one.fields["x-fairlead-backend"]) for one in found] == [
            (200, "box"),
            (200, "second"),
            (200, "second"),
        ]

    trio.run(main)


def test_nobody_is_ready(tmp_path):
    """With all accounts parked, /health is 503, /accounts and /status say why and until when, and a request is told."""

    async def main():
        configured(tmp_path, "demo = false")
        modes = dict.fromkeys(KEYS, "429-7200")
        async with flock(modes) as up, served(tmp_path, pooled("box", up.root), **LONG) as serving:
            healthy = await once(serving.port, "/health", b"", method="GET")
            assert (healthy.status, json.loads(healthy.body)) == (200, {"status": "ok"})
            assert (await once(serving.port, "/v1/messages", message())).status == 429
            ill = await once(serving.port, "/health", b"", method="GET")
            assert (ill.status, json.loads(ill.body)) == (503, {"status": "nothing can serve"})
            listed = (await told(serving, "/accounts"))["accounts"]
            assert [one["reason"] for one in listed] == ["parked for 2 h (429 window, reset in 2 h)"] * 3
            assert all(7100 < one["until_s"] <= 7200 for one in listed)
            [box] = (await told(serving, "/status"))["backends"]
            assert box["problem"].count("parked for 2 h") == 3
            refused = await once(serving.port, "/v1/messages", message())
            assert (refused.status, 7100 < int(refused.fields["retry-after"]) <= 7200) == (429, True)
            assert "a2: parked for 2 h" in json.loads(refused.body)["error"]["message"]
            assert sum(up.asked.values()) == 3

    trio.run(main)


class Sealing(Flock):
    """An upstream of the Responses API. orgs: key -> its organisation, which alone reads what it sealed, and whose
    account alone knows the answers it gave."""

    def __init__(self, orgs, *, tells=True):
        super().__init__({}, keep=True)
        self.orgs = orgs
        self._tells = tells

    async def _behave(self, stream, conn, mode, path, streamed, key):
        if mode != "good" or path != "/v1/responses":
            return await super()._behave(stream, conn, mode, path, streamed, key)
        body, org = self.seen[-1][1].decode(), self.orgs[key]
        sealed = re.findall(r'"encrypted_content":"(.*?)"', body)
        before = re.search(r'"previous_response_id":"(.*?)"', body)
        if any(one != org for one in sealed) or (before and before[1] != f"resp_{key}"):
            error = {"message": "It could not be verified.", "code": "invalid_encrypted_content"}
            await self._plain(stream, conn, 400, json.dumps({"error": error}).encode())
            return True
        item = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": org}
        found = {**ANSWER[path], "id": f"resp_{key}", "output": [item, *ANSWER[path]["output"]]}
        extra = [("openai-organization", org)] if self._tells else []
        await self._plain(stream, conn, 200, json.dumps(found).encode(), extra)
        return True


@asynccontextmanager
async def sealing(folder, orgs, *, tells=True, **settings):
    """A running Sealing with an account for each of these organisations, and a proxy before it."""
    async with trio.open_nursery() as nursery:
        up = Sealing(dict(zip(KEYS, orgs, strict=True)), tells=tells)
        await nursery.start(up.serve)
        async with served(folder, pooled("box", up.root), **{"queue_timeout": "1s", **LONG, **settings}) as serving:
            yield up, serving
        nursery.cancel_scope.cancel()


def turn(*, sealed="", text="hi", **more):
    """A Responses request; sealed: what it holds of an earlier answer."""
    items = [{"role": "user", "content": text}]
    items += [{"type": "reasoning", "summary": [], "encrypted_content": sealed}] if sealed else []
    return json.dumps({"model": "m", "input": items, "store": False, **more}, separators=(",", ":")).encode()


def test_sealed_input_stays_in_its_group(tmp_path):
    """What one organisation sealed goes to its accounts alone, moved or not; when none of them is ready, that is
    said, and nobody else is asked."""

    async def main():
        orgs = ("north", "south", "north")
        async with sealing(tmp_path, orgs, pool_strategy="round-robin") as (up, serving):
            # All organisations are known once each account answered.
            found = [await once(serving.port, "/v1/responses", turn(text=f"{number}")) for number in range(3)]
            assert accounts_used(found) == ["a0", "a1", "a2"]
            again = await once(serving.port, "/v1/responses", turn(sealed="north", text="0"))
            assert (again.status, accounts_used([again])) == (200, ["a0"])
            up.modes[KEYS[0]] = "429-7200"
            moved = await once(serving.port, "/v1/responses", turn(sealed="north", text="0"))
            assert (moved.status, accounts_used([moved])) == (200, ["a2"])
            [record] = [*serving.runtime.recorder.recent][-1:]
            assert (record.binding.account, record.binding.turns) == ("a0", 3)
            assert [(one.account, one.status, one.done) for one in record.tries] == [
                ("a0", 429, "parked"),
                ("a2", 200, ""),
            ]
            up.modes[KEYS[2]] = "429-7200"
            assert (await once(serving.port, "/v1/responses", turn(sealed="north", text="0"))).status == 429
            up.asked.clear()
            nobody = await once(serving.port, "/v1/responses", turn(sealed="north", text="0"))
            said = json.loads(nobody.body)["error"]["message"]
            assert (nobody.status, "This request needs an account of north" in said) == (429, True)
            assert not up.asked

    trio.run(main)


def test_sealed_input_finds_who_can_read_it(tmp_path):
    """When nobody knows any more who sealed it, as after a restart, an account that cannot read it is left for the
    next one; the one that can keeps the conversation."""

    async def main():
        async with sealing(tmp_path, ("north", "west", "south"), pool_strategy="fill-first") as (_, serving):
            found = await once(serving.port, "/v1/responses", turn(sealed="south"))
            assert (found.status, found.fields["x-fairlead-account"]) == (200, "a2")
            assert found.fields["x-fairlead-attempts"] == "3"
            [record] = [*serving.runtime.recorder.recent]
            assert [(one.account, one.status, one.done) for one in record.tries] == [
                ("a0", 400, "moved"),
                ("a1", 400, "moved"),
                ("a2", 200, ""),
            ]
            again = await once(serving.port, "/v1/responses", turn(sealed="south"))
            assert (again.fields["x-fairlead-account"], again.fields["x-fairlead-attempts"]) == ("a2", "1")
            lost = await once(serving.port, "/v1/responses", turn(sealed="east", text="another"))
            assert (lost.status, json.loads(lost.body)["error"]["code"]) == (400, "invalid_encrypted_content")
            assert {one.state(0.0) for one in serving.runtime.snapshot.services["box"].pool.members} == {"ready"}

    trio.run(main)


def test_groups_of_the_users_own(tmp_path):
    """Without an organisation in its answers an account is a group by itself, unless the user names one."""

    async def main():
        configured(tmp_path, '[pool.accounts.group]\n"box/a0" = "north"\n"box/a1" = "north"\n')
        orgs = ("north", "north", "south")
        async with sealing(tmp_path, orgs, tells=False, pool_strategy="fill-first") as (up, serving):
            assert accounts_used([await once(serving.port, "/v1/responses", turn())]) == ["a0"]
            up.modes[KEYS[0]] = "429-7200"
            assert accounts_used([await once(serving.port, "/v1/responses", turn(sealed="north"))]) == ["a1"]
            up.modes[KEYS[1]] = "429-7200"
            assert (await once(serving.port, "/v1/responses", turn(sealed="north"))).status == 429
            assert up.asked[KEYS[2], "/v1/responses"] == 0

    trio.run(main)


def test_ids_pin_their_account(tmp_path):
    """An answer that is followed up goes to the account that gave it, also past its budget of headroom; when that one
    is parked, the message names it."""

    async def main():
        async with sealing(tmp_path, ("north", "west", "south")) as (up, serving):
            for number in range(6):
                first = await once(serving.port, "/v1/responses", turn(text=f"{number}", store=True))
                name = json.loads(first.body)["id"]
                again = await once(serving.port, "/v1/responses", turn(previous_response_id=name, text=f"x {number}"))
                assert (again.status, accounts_used([again])) == (200, accounts_used([first]))
            [account] = accounts_used([again])
            up.modes[KEYS[int(account[1])]] = "429-7200"
            up.asked.clear()
            for _ in range(2):
                refused = await once(serving.port, "/v1/responses", turn(previous_response_id=name))
                assert refused.status == 429
            said = json.loads(refused.body)["error"]["message"]
            assert f"This request needs the account {account}" in said
            assert sum(up.asked.values()) == 1

    trio.run(main)


def test_signatures_are_no_groups(tmp_path):
    """Anthropic's signed thinking reads everywhere at Anthropic: a conversation with it moves like any other."""

    async def main():
        configured(tmp_path, "pool.strategy = 'fill-first'")
        async with flock({KEYS[0]: "529"}) as up, served(tmp_path, pooled("box", up.root, KEYS[:2])) as serving:
            thought = {"type": "thinking", "thinking": "hm", "signature": "sig"}
            said = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": [thought]}]
            body = json.dumps({"model": "m", "max_tokens": 9, "messages": said}).encode()
            found = await once(serving.port, "/v1/messages", body)
        assert (found.status, found.fields["x-fairlead-account"]) == (200, "a1")

    trio.run(main)
