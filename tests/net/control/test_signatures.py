"""What commands and proxies sign: every part counts, and none of the three kinds can be taken for another."""

import random

import pytest

from router.net.control.signatures import (
    KEY_NONCE,
    Place,
    SignedCall,
    compute_call,
    compute_older_proof,
    compute_proof,
    hash_body,
    parse_call,
    sign_answer,
    sign_call,
)
from router.settings import Secret

TOKEN, HERE, PROCESS = Secret("t" * 43), Place("127.0.0.1", 3456), "p" * 32
CALL = SignedCall("1700000000.000", "n" * 32, hash_body(b""), "")
CHARACTERS = "019afAF:.-% /?&=key\n\r\t\x00\xe9"


def request(**changed):
    parts = {"token": TOKEN, "place": HERE, "process": PROCESS, "method": "GET", "target": b"/status", "call": CALL}
    return compute_call(**{**parts, **changed})


def test_every_part_of_a_request_counts():
    """A signature is of one token, place, process, method, target, body, time and nonce."""
    changes = (
        {"token": Secret("u" * 43)},
        {"place": Place("127.0.0.2", 3456)},
        {"place": Place("127.0.0.1", 3457)},
        {"process": "q" * 32},
        {"method": "HEAD"},
        {"target": b"/status?"},
        {"call": CALL._replace(time="1700000000.001")},
        {"call": CALL._replace(nonce="m" * 32)},
        {"call": CALL._replace(body=hash_body(b"{}"))},
    )
    found = [request(), *(request(**change) for change in changes)]
    assert len({*found}) == len(found)
    assert request(place=Place("127.0.0.1%lo", 3456)) == request()


@pytest.mark.parametrize("seed", range(8))
def test_parts_cannot_be_moved_into_each_other(seed):
    """Two different requests, proofs or answers of random parts never have one text, nor two of other kinds."""
    chance = random.Random(seed)
    seen = {}

    def word(least=0):
        return "".join(chance.choices(CHARACTERS, k=chance.randint(least, 6))).replace("\n", "")

    for _ in range(200):
        place = Place(chance.choice(["127.0.0.1", "::1", word(1)]), chance.randint(1, 99999))
        process, nonce = (
            word(),
            (KEY_NONCE if chance.random() < 0.3 else b"") + word().encode() + b"\n" * chance.randint(0, 1),
        )
        key = Secret(word(1) + "\n") if chance.random() < 0.5 else None
        said_key = key.reveal() if key and nonce.startswith(KEY_NONCE) else None
        call = SignedCall(word(), word(), word(), "")
        method, target = word(), word().encode() + b"\n" * chance.randint(0, 1)
        status, body = chance.randint(100, 999), word().encode()
        parts = (
            (("proof", place, process, nonce, said_key), compute_proof(TOKEN, place, process, nonce, key).decode()),
            (
                ("request", place, process, method, target, call),
                request(place=place, process=process, method=method, target=target, call=call),
            ),
            (("answer", call.time, status, body), sign_answer(TOKEN, call.time, status, body)),
            (("older", nonce), compute_older_proof(TOKEN, nonce).decode()),
        )
        for what, signature in parts:
            assert seen.setdefault(signature, what) == what


def test_request_is_read_as_it_was_written():
    """By its header; another credential is none."""
    call = sign_call(TOKEN, HERE, PROCESS, "POST", b"/admin/reload", b"{}")
    assert parse_call(call.format().encode()) == call
    assert call.body == hash_body(b"{}")
    assert TOKEN.reveal() not in call.format()
    for other in (b"", b"Bearer x", b"Bearer " + call.format().encode(), b"\xff", call.format().encode()[:20]):
        assert parse_call(other) is None


def test_each_request_is_signed_anew():
    """Also the same one in the same moment."""
    assert len({sign_call(TOKEN, HERE, PROCESS, "GET", b"/", b"").signature for _ in range(100)}) == 100
