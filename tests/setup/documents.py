"""Random JSON with comments, in any layout."""

import json

from hypothesis import strategies as st

KEYS = st.text('abcä"\\ .', min_size=1, max_size=4)
SCALARS = st.none() | st.booleans() | st.integers(-10, 10**20) | st.floats(allow_nan=False, allow_infinity=False) | KEYS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)
TABLES = st.dictionaries(KEYS, VALUES, max_size=4)
_SPACES = (" ", "\n", "\r\n", "\t", "  ", "// a, b]}\n", '/* " { */', "// last\r\n")


@st.composite
def texts(draw, tables=TABLES, spaces=_SPACES):
    """A text and its value."""
    value = draw(tables)
    gaps = st.lists(st.sampled_from(spaces), max_size=2).map("".join)

    def write(value):
        if isinstance(value, dict):
            parts = [f"{json.dumps(key)}{draw(gaps)}:{draw(gaps)}{write(one)}" for key, one in value.items()]
        elif isinstance(value, list):
            parts = [write(one) for one in value]
        else:
            return json.dumps(value, ensure_ascii=draw(st.booleans()))
        inside = ",".join(f"{draw(gaps)}{part}{draw(gaps)}" for part in parts)
        comma = "," if parts and draw(st.booleans()) else ""
        begin, end = "{}" if isinstance(value, dict) else "[]"
        return f"{begin}{draw(gaps)}{inside}{comma}{draw(gaps)}{end}"

    return f"{draw(gaps)}{write(value)}{draw(gaps)}", value
