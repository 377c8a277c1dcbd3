"""What the proxies of a team tell each other of an account, and what becomes of it at another."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.policy.accounts.pool import Member, Pool, Want
from router.policy.accounts.shared_state import SharedAccount, apply_account, read_account, summarize
from router.wire.headers.rate_limits import Limit

NOW = 5000.0
SHIFT = 1.7e9
seconds = st.floats(1, 9000)


def carried(member, *, now=NOW, shift=SHIFT, there=NOW):
    """The account at another process, whose clock shows `there`, of what this one tells."""
    told = msgspec.json.decode(msgspec.json.encode(read_account(member, now, shift)), type=SharedAccount)
    found = Member(member.alias)
    apply_account(found, told, there, shift + now - there)
    return found


@given(parked=seconds, part=seconds, used=st.floats(0, 1), left=seconds, there=st.floats(0, 1e7))
def test_what_closes_an_account_is_the_same_everywhere(parked, part, used, left, there):
    """Times left, reason, models and limits are those of the process that saw them, whatever the clocks show."""
    member = Member("a")
    pool = Pool([member])
    pool.park(member, NOW, parked, "429 window")
    pool.park(member, NOW, part, "429 opus", "opus")
    member.headroom.note_limits((Limit("5h", used, left),), NOW)
    found = carried(member, there=there)
    assert found.closed - there == pytest.approx(parked, abs=1e-3)
    assert (found.why, found.cools, found.spent) == ("429 opus", False, False)
    assert found.until("opus") - there == pytest.approx(max(parked, part), abs=1e-3)
    assert found.headroom.share(there) == pytest.approx(1 - used, abs=1e-3)


def test_a_rejected_key_cools_down_everywhere():
    """The doubled pauses go on where another process left off."""
    member = Member("a")
    pool = Pool([member])
    for at in range(6):
        pool.cool_down(member, NOW + at, NOW + at, "401")
    found = carried(member, now=NOW + 6, there=NOW + 6)
    assert (found.state(NOW + 6), found.rejections) == (member.state(NOW + 6), 6)
    assert found.state(NOW + 6) == "revoked"


def test_an_account_that_is_open_again_is_told():
    """An answer at one process ends what closed the account at all of them."""
    member = Member("a")
    pool = Pool([member])
    pool.park(member, NOW, 60, "429")
    other = carried(member)
    pool.reopen(member, NOW + 1, Want())
    told = read_account(member, NOW + 1, SHIFT)
    apply_account(other, told, NOW + 1, SHIFT)
    assert other.state(NOW + 1) == "ready"
    assert summarize(other, NOW + 1) == summarize(Member("b"), NOW)


def test_what_others_tell_is_bounded():
    """A row of another version, or with nonsense in it, closes no account for ever, and holds no more than is kept."""
    row = {"closed": NOW + 60, "closed_at": NOW + 1e9, "why": "x", "rejections": -3, "later": 1}
    row["parts"] = [[f"model-{at}", NOW + 60 + at, NOW, "y", -1] for at in range(500)]
    row["limits"] = [["5h", 7.0, NOW + 10], ["old", 1.0, NOW - 10]]
    member = Member("a")
    apply_account(member, msgspec.convert(row, SharedAccount), NOW, 0.0)
    assert (member.closed_at, member.rejections, len(member.closed_for)) == (NOW, 0, 64)
    assert [one.limit.used for one in member.headroom.readings(NOW)] == [1.0]
