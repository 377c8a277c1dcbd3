"""Ids that are given to the calls of an answer."""

import itertools

from router.wire.conversation.identifiers import AnswerCallIds, to_messages_id


def ids(*history):
    numbers = itertools.count(1)
    return AnswerCallIds(frozenset(history), lambda: f"{next(numbers):024x}")


def test_the_upstreams_id_stays_where_it_is_free():
    """Ids that nobody has are not touched, whatever characters they have."""
    found = ids("a")
    assert [found.give(one) for one in ("b", "functions.look:0")] == ["b", "functions.look:0"]


def test_taken_ids_get_a_suffix_that_is_free():
    """Ids of this answer, of the history, and suffixed ones in either are not given again."""
    found = ids("call_0", "call_0_3")
    given = [found.give(one) for one in ("call_0", "call_0", "call_0_2", "call_1", "call_1")]
    assert given == ["call_0_2", "call_0_4", "call_0_2_2", "call_1", "call_1_2"]


def test_an_id_counts_as_taken_in_the_form_of_a_messages_history():
    """A Messages caller's history holds ids in another form; they are the same ids."""
    assert ids(to_messages_id("functions.look:0")).give("functions.look:0") == "functions.look:0_2"


def test_calls_without_an_id_get_a_new_one():
    """An id is made up where the upstream gives none."""
    found = ids()
    assert [found.give(""), found.give("")] == [f"call_{1:024x}", f"call_{2:024x}"]


def test_many_equal_ids_cost_no_more_each():
    """Suffixes are not counted through from the beginning."""
    found = ids()
    assert len({found.give("a") for _ in range(50_000)}) == 50_000
