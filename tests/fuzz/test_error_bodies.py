"""Fuzz target: errors of upstreams that repeat a key. Oracle: a strict reader that decodes whatever can be decoded.

Each case is a whole exchange without sockets: one kind of call, passed through or translated, and an upstream that
repeats the key of the account somewhere in its answer, in some spelling or a spelling of it, cut into any reads. Most
exchanges repeat it several times, each with a sign behind it: those whose sign the client or the record got are cases
of their own.
"""

import functools
import string

import pytest

from router.backends import Account
from router.policy.accounts.session_affinity import SessionAffinity

from ..exchange.playbook import on_stage, play
from ..exchange.repeating import CALLS, NARROW, PLACES, readings
from ..exchange.worlds import in_order
from ..spellings import SPELLINGS, leaks
from ..upstream.runtimes import backend
from .mutation import cases, cut

LETTERS = string.ascii_letters + string.digits
KEYS = (
    "sk-proj-{}",
    "sk-ant-api03-{}_-AA",
    "AIza{}",
    "gsk_{}",
    "{}",
    "a/b+c={}==",
    "p@ss:w&rd%2F{}\"'\\<x>",
    "key%41\\u0042&#67;{}",
)
LENGTHS = (8, 12, 24, 48, 160)
STATUSES = (400, 401, 402, 403, 404, 408, 413, 422, 429, 431, 500, 502, 503, 529)
SPOKEN = ("chat", "messages", "responses")
#: What stands around the key, so that it stands at any position of its coding.
AROUND = ("", "x", "yz", " Bearer ", "key=", '\\"', "\\n", "%20", "&amp;", "0f", "QUJD", "\N{EURO SIGN}")
# Larger bodies are searched in a thread, for which this clock does not wait.
SMALL = tuple(name for name in PLACES if "megabyte" not in name)
#: Where a second key would stand behind what is looked at, or none can, or each byte costs a read.
ALONE = (
    "text that is quoted in part",
    "first event that is quoted in part",
    "JSON in pieces",
    "JSON with a byte a read",
    "text in pieces",
    *NARROW,
)
#: How often a key is repeated at most.
REPEATED = 8
# Of the parts of HTTP that must be what they are: cutting them into more reads changes nothing.
HEAD_END = b"\r\n\r\n"


def make_key(chance):
    """A key as some vendor gives it, or a password of a gateway."""
    return chance.choice(KEYS).format("".join(chance.choices(LETTERS, k=chance.choice(LENGTHS))))


def spell(chance, key, *, twice):
    """The key in one spelling or, if allowed, a spelling of one, with something around it."""
    said = chance.choice(AROUND) + key + chance.choice(AROUND)
    for _ in range(chance.choice((1, 1, 1, 2)) if twice else 1):
        said = SPELLINGS[chance.choice((*SPELLINGS,))](said)
        said = chance.choice(AROUND) + said + chance.choice(AROUND)
    return said.encode()


def repeat(chance, key, place):
    """What the upstream says of the key in that place, and the sign behind each of its spellings."""
    # In the head of a good answer, short texts are looked at for what is coded once.
    twice = "good answer" not in place
    count = 1 if place in ALONE or chance.random() < 0.25 else REPEATED
    if count == 1:
        return spell(chance, key, twice=twice), [b""]
    signs = [b" (%d) " % number for number in range(count)]
    return b"".join(spell(chance, key, twice=twice) + sign for sign in signs), signs


def cut_reads(chance, script):
    """The script with its bytes in other reads; what is no bytes stays in its place."""
    out = []
    for step in script:
        if not isinstance(step, bytes):
            out.append(step)
        elif step.startswith(b"HTTP/1.1 ") and HEAD_END in step:
            head, _, body = step.partition(HEAD_END)
            out += [head + HEAD_END, *_cut(chance, body)]
        else:
            out += _cut(chance, step)
    return out


def _cut(chance, data):
    """Byte by byte only now and then: that costs as much as many other cases."""
    return cut(chance, data, by_byte=chance.random() < 0.05)


def world(made, key):
    """A backend for each protocol, all with one key."""
    return made(
        *(backend(name, key="", protocols=(name,), accounts=(Account("a0", key),)) for name in SPOKEN),
        settings=in_order(),
    )


async def run_case(chance, runtime, key):
    """One exchange: what the client and the history got of it, how many cases it was, and what it was."""
    call, place = chance.choice((*CALLS,)), chance.choice(SMALL)
    path, body, spoken = CALLS[call]
    pool = runtime.snapshot.services[spoken].pool
    pool.affinity = SessionAffinity()
    for member in pool.members:
        member.__init__(member.alias, member.fingerprint)
        member.settle()
    (said, signs), status = repeat(chance, key, place), chance.choice(STATUSES)
    script = cut_reads(chance, PLACES[place](said, status, spoken))
    played = await play(runtime, path, {**body, "model": f"{spoken}:m"}, *[script] * 4)
    assert played.sent
    data = b" \0 ".join(readings(played))
    return data, max(1, sum(sign in data for sign in signs)), (call, place, status, said)


async def run_cases(number, runtime, key, count):
    """At least `count` cases with one key."""
    judged = 0
    for chance in cases(f"error bodies {number}", count):
        data, done, case = await run_case(chance, runtime, key)
        assert not leaks(key, data), (key, case, data)
        judged += done
        if judged >= count:
            return


@pytest.mark.parametrize(("keys", "count"), [(6, 100), pytest.param(100, 10_000, marks=pytest.mark.slow)])
def test_a_key_in_an_error_stays_with_the_proxy(made, keys, count):
    """No client and no history can read it, however it is spelled, coded, cut and placed. count: cases of each key."""
    for number, chance in enumerate(cases("keys", keys)):
        key = make_key(chance)
        # Another home is not needed: each runtime has been made of what was stored by then.
        runtime = world(made, key)
        on_stage(runtime, functools.partial(run_cases, number, runtime, key, count))
        runtime.close()
        print(f"error bodies: {(number + 1) * count} cases", flush=True)


def test_the_reader_reads_each_spelling():
    """It would find a key that was left: else the target passes for nothing."""
    for chance in cases("reader", 300):
        key = make_key(chance)
        name = chance.choice((*SPELLINGS,))
        assert leaks(key, SPELLINGS[name](chance.choice(AROUND) + key).encode()), (key, name)
