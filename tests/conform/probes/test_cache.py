"""The prompt that is sent twice is long enough for the model."""

import pytest

from ..benches import run_against
from ..defective import Defective


@pytest.mark.parametrize(("model", "least"), [("demo-full", 2000), ("claude-haiku-4-5", 4096), ("gemini-3-pro", 4096)])
def test_a_known_minimum_is_reached(model, least):
    """Providers cache nothing of a shorter prompt, which would look as if they had no cache."""
    sizes = []

    async def note(asked, send):
        if asked.path == "/v1/chat/completions":
            sizes.append(len(str(asked.body)) / 4)
        return await send(asked)

    run_against(Defective(note), ("cache.reported",), model=model, free=True)
    assert sizes
    assert all(least <= size <= 2 * least + 1000 for size in sizes)
