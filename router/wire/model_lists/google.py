"""Google's list of models: `models/NAME`, with limits where they are known."""

from collections.abc import Callable, Sequence
from urllib.parse import parse_qsl

from router.errors import BadRequest
from router.wire.model_lists.listed import ListedModel
from router.wire.raw.json.json_values import Json
from router.wire.raw.whole_numbers import parse_whole

# What Google's servers and tools use where no size is asked for, and the most; a larger size is that one.
_PAGE, _PAGE_LIMIT = 50, 1000
_METHODS = ("generateContent", "countTokens")


def entry(model: ListedModel) -> Json:
    """One model, with Google's fields for what is known of it."""
    found: Json = {"name": f"models/{model.name}", "displayName": model.label}
    for name, value in (
        ("description", model.description or None),
        ("inputTokenLimit", model.max_input),
        ("outputTokenLimit", model.max_output),
    ):
        if value is not None:
            found[name] = value
    found["supportedGenerationMethods"] = [*_METHODS]
    return found


def page(names: Sequence[str], describe: Callable[[Sequence[str]], list[ListedModel]], query: str) -> Json:
    """One page of the list; `pageSize` and `pageToken` as Google documents them. describe: what is known of some of the
    models. Raises BadRequest."""
    asked = dict(parse_qsl(query))
    size = parse_whole(asked.get("pageSize") or asked.get("page_size") or str(_PAGE), 0, 2**31 - 1)
    if size is None:
        raise BadRequest("pageSize must be a whole number that is not negative.")
    start = parse_whole(asked.get("pageToken") or asked.get("page_token") or "0", 0, len(names))
    if start is None:
        raise BadRequest("pageToken must be the nextPageToken of an earlier page.")
    end = start + min(size or _PAGE, _PAGE_LIMIT)
    found: Json = {"models": [entry(model) for model in describe(names[start:end])]}
    if end < len(names):
        found["nextPageToken"] = str(end)
    return found
