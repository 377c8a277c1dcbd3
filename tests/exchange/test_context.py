"""What is known of one request: the callers' own credentials, and the configuration it began with."""

import pytest

from router.settings import Secret

from .playbook import playing
from .worlds import CHAT, box, chat, good, in_order

FIELDS = [("authorization", "Bearer sk-the-callers-0123"), ("x-api-key", "sk-of-fairlead-0123")]
NAMES = frozenset((b"authorization", b"x-api-key"))


@pytest.mark.parametrize(
    ("own", "left"),
    [
        ([], NAMES),
        ([b"sk-of-fairlead-0123"], {b"authorization"}),
        ([b"sk-the-callers-0123"], {b"x-api-key"}),
        ([b"sk-the-callers-0123", b"sk-of-fairlead-0123"], set()),
    ],
)
def test_credentials_of_the_caller(one, own, left):
    """A header that holds one of fairlead's keys is not the caller's."""
    context = playing(one, CHAT, chat(), good(), fields=FIELDS, own_keys=own).attempt.context
    assert context.caller_credentials(NAMES) == left


@pytest.mark.parametrize("limit", [0, 100])
def test_credentials_are_hidden_in_captures(made, limit):
    """An upstream may repeat a credential in its answer: the caller's own is redacted in captured bodies."""
    runtime = made(box("box", auth="client"), settings=in_order())
    hidden = []
    runtime.log.hide = hidden.extend
    playing(runtime, CHAT, chat(), good(), fields=FIELDS, own_keys=[b"sk-of-fairlead-0123"], capture=limit)
    assert hidden == ([Secret("sk-the-callers-0123")] if limit else [])


def test_a_reload_meanwhile_changes_nothing(one):
    """A request keeps the configuration it began with."""
    context = playing(one, CHAT, chat(), good()).attempt.context
    before = context.snapshot
    one.snapshot = None
    assert context.snapshot is before
    assert context.facts.model == "box:m"
    assert context.route.backend.name == "box"
