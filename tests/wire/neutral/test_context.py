"""The policy for losses, of all fields and of single ones."""

import pytest

from router.errors import BadRequest

from ..translations import claude, context, sent, user


@pytest.mark.parametrize(
    ("policies", "path", "told"),
    [
        ({"messages": "silent"}, "messages[3].content[0].citations", []),
        ({"messages.content": "silent"}, "messages[3].content[0].citations", []),
        ({"messages": "silent", "messages.content": "warn"}, "messages[3].content[0].citations", ["citations"]),
        ({"messages.cont": "silent"}, "messages[3].content[0].citations", ["citations"]),
        ({"citations": "silent"}, "messages[3].content[0].citations", ["citations"]),
    ],
)
def test_the_nearest_field_with_a_policy_decides(policies, path, told):
    """Of the field itself, else of what it stands in; the log has every loss."""
    ctx = context(policies=policies)
    ctx.note_dropped(path)
    assert [loss.path.rpartition(".")[2] for loss in ctx.select_losses()] == told
    assert len(ctx.losses) == 1


def test_one_field_is_refused_and_another_is_not_told():
    """strict for one field refuses what the general policy would let pass, and the other way round."""
    asked = claude(user("x"), top_k=3, metadata={"user_id": "u"})
    with pytest.raises(BadRequest, match="top_k: it would be dropped"):
        sent(asked, "messages", "deepseek", policies={"top_k": "strict"})
    with pytest.raises(BadRequest, match=r"metadata\.user_id"):
        sent(asked, "messages", "deepseek", policy="strict", policies={"top_k": "warn"})
    lenient = {"top_k": "warn", "metadata": "silent"}
    assert sent(asked, "messages", "deepseek", policy="strict", policies=lenient)[1] == [
        "top_k=dropped",
        "metadata.user_id=dropped",
    ]


def test_a_sent_request_is_not_refused_any_more():
    """What its answer loses is told, however strict the policy."""
    ctx = context(policy="strict")
    ctx.request_sent = True
    ctx.note_dropped("citations")
    assert [loss.path for loss in ctx.select_losses()] == ["citations"]
