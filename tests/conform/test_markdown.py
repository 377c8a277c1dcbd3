"""A card as Markdown."""

from router.conform.markdown import format_markdown
from router.conform.record import Card, Difference, Row


def test_a_card_is_a_table():
    """Each row is one line; what a backend said neither ends a cell nor becomes markup; no URL is shown."""
    card = Card(
        fairlead="0.2.0",
        date="2026-11-30T10:00:00Z",
        backend="box",
        root="http://private.example/v1",
        model="m",
        probes=(Row(id="roles.prefill", verdict="no", evidence="a | b <img src=x> `c` [d](e)"),),
        profile_diff=(Difference(flag="stop_max", now=4, seen=0, probes=("a.b",)),),
    )
    text = format_markdown(card)
    assert "1 no. fairlead 0.2.0, 2026-11-30." in text
    assert (
        "| roles.prefill | a last assistant message is continued | no | a \\| b \\<img src=x\\> \\`c\\` \\[d\\](e) |"
        in text
    )
    assert "| stop_max | 4 | 0 |" in text
    assert "private" not in text
