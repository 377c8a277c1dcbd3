"""Answers in the background are counted once, over all processes of a port."""

from router.telemetry.counted_responses import CountedResponses


def test_each_is_told_once_and_what_others_counted_is_known():
    """The first look counts and is told; what another process has counted is not counted here, nor told on."""
    one, other, told = CountedResponses(), CountedResponses(), []
    one.on_added = told.append
    assert one.add("resp_1")
    assert not one.add("resp_1")
    assert one.add("")
    assert told == ["resp_1"]
    other.learn("resp_1")
    assert not other.add("resp_1")
    assert other.list_names() == ["resp_1"]
