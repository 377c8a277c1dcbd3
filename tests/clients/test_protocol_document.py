"""The comparison of two protocol documents: which sections changed, and that nothing of their text is kept."""

import json
import re

from .protocol_document import BEGINNING, SEEN, compare, hash_sections

TEXT = """\
Before.

# One
a
```sh
# no heading
```
## Two
b
## Two
c
"""


def test_sections():
    """Each heading begins one, those of one name have numbers, and lines of code are no headings."""
    found = hash_sections(TEXT)
    assert [*found] == [BEGINNING, "One", "Two", "Two (2)"]
    assert len({*found.values()}) == 4
    assert hash_sections(TEXT.replace("\n", "  \r\n")) == found


def test_changes():
    """What is gone, what is new and what reads otherwise is named; what moved is not."""
    seen = hash_sections(TEXT)
    found = hash_sections(TEXT.replace("no heading", "another line").replace("## Two\nc", "## Three\nc"))
    assert compare(seen, found) == ["gone:    Two (2)", "changed: One", "new:     Three"]
    assert compare(seen, seen) == []
    assert compare(seen, dict(reversed(seen.items()))) == []


def test_what_is_kept():
    """Titles and hashes, and the version they are of."""
    kept = json.loads(SEEN.read_text("utf-8"))
    assert set(kept) == {"version", "sections"}
    assert len(kept["sections"]) > 5
    assert all(re.fullmatch(r"[0-9a-f]{64}", sha) for sha in kept["sections"].values())
