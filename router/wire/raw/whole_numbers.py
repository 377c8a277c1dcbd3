"""Reads whole numbers from text that somebody else wrote: a query, a header, a field of JSON.

`int` refuses very long texts with an error of its own, and takes signs, spaces, underscores and the digits of other
scripts; `isdigit` is true for texts that it refuses. So all such numbers are read here.
"""

# More digits than any bound here has; leading zeros count.
_DIGITS = 15


def parse_whole(text: str, least: int, most: int) -> int | None:
    """The number that a text of ASCII digits stands for; None for any other text, and for a number out of bounds."""
    if len(text) > _DIGITS or not text.isascii() or not text.isdecimal():
        return None
    number = int(text)
    return number if least <= number <= most else None
