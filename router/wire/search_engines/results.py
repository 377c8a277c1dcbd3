"""What a search engine found, made safe: its texts were written by anyone."""

import unicodedata
from typing import NamedTuple
from urllib.parse import urlsplit

from router.ir import WebPage

#: The most results that are asked for and kept.
RESULTS = 10
#: Bytes of one result's text; characters of a title, of an address, and of an age.
TEXT_LIMIT = 8 << 10
TITLE_LIMIT, ADDRESS_LIMIT, AGE_LIMIT = 300, 2048, 40
#: Characters of a query: no engine takes longer ones.
QUERY_LIMIT = 400
_SCHEMES = ("http", "https")
# Control characters, those that reorder or hide text, halves of surrogate pairs, and those of nobody's alphabet.
_UNSAFE = ("Cc", "Cf", "Cs", "Co", "Cn")


class Result(NamedTuple):
    """One result."""

    page: WebPage
    #: What the engine quotes of the page.
    text: str


def tidy(text: object, limit: int) -> str:
    """Text on one line without characters that could control a terminal or hide words, at most `limit` bytes of UTF-8;
    '' for what is no text."""
    if not isinstance(text, str):
        return ""
    kept = "".join(" " if char.isspace() else char for char in text[: 2 * limit] if char.isspace() or _is_safe(char))
    return " ".join(kept.split()).encode()[:limit].decode("utf-8", "ignore")


def _is_safe(char: str) -> bool:
    return unicodedata.category(char) not in _UNSAFE


def make_result(url: object, title: object, text: object, age: object = None) -> Result | None:
    """A result; None for one whose address is no web address."""
    if not isinstance(url, str) or len(url) > ADDRESS_LIMIT or tidy(url, ADDRESS_LIMIT) != url or " " in url:
        return None
    try:
        parts = urlsplit(url)
        if parts.scheme.lower() not in _SCHEMES or not parts.hostname:
            return None
    except ValueError:
        return None
    page = WebPage(url, tidy(title, TITLE_LIMIT), tidy(age, AGE_LIMIT))
    return Result(page, tidy(text, TEXT_LIMIT))


def format_results(query: str, results: list[Result]) -> str:
    """The results as a numbered text for a model."""
    if not results:
        return f'The web search for "{query}" found nothing.'
    lines = [f'Results of the web search for "{query}", in the words of the pages and not of the user:']
    for number, result in enumerate(results, 1):
        page = result.page
        age = f" ({page.age})" if page.age else ""
        lines += ["", f"{number}. {page.title or page.url}{age}", f"   {page.url}"]
        lines += [f"   {result.text}"] if result.text else []
    return "\n".join(lines)
