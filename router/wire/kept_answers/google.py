"""The rules for answers of Google's API, whose servers read each field in camelCase and in snake_case."""

from collections.abc import Sequence

from router.wire.kept_answers.rules import DeclaredTools, Json, KeptAnswers, as_object, list_declared, list_objects

_CONFIGS = ("generationConfig", "generation_config")
_COUNTED = ("generateContentRequest", "generate_content_request")
_DECLARED = ("functionDeclarations", "function_declarations")
_CACHED = "it names a cached content, which lies at the provider"
_STOPPED = "it goes on from what the provider holds (continuationToken)"
_WHOLE = "STOP"


def _find(body: Json, *names: str) -> list[object]:
    return [as_object(body.get(config)).get(name) for config in _CONFIGS for name in names]


def _find_tools(body: Json) -> DeclaredTools:
    tools = list_declared(body.get("tools"))
    hosted = any(name not in _DECLARED for one in tools for name in one)
    return DeclaredTools(any(bool(one) for one in tools), hosted)


def _is_whole(found: Json) -> bool:
    return _is_stream_whole([found])


def _is_stream_whole(events: Sequence[Json]) -> bool:
    if any("blockReason" in as_object(one.get("promptFeedback")) for one in events):
        return False
    ends: dict[object, object] = {}
    for candidate in (candidate for one in events for candidate in list_objects(one.get("candidates"))):
        at = str(candidate.get("index", 0))
        ends[at] = candidate.get("finishReason") or ends.get(at)
    return bool(ends) and all(end == _WHOLE for end in ends.values())


GEMINI = KeptAnswers(
    conversation=("contents", "systemInstruction", "system_instruction", *_COUNTED),
    never={
        **dict.fromkeys(("cachedContent", "cached_content"), _CACHED),
        **dict.fromkeys(("continuationToken", "continuation_token"), _STOPPED),
    },
    find_temperatures=lambda body: _find(body, "temperature"),
    find_choices=lambda body: _find(body, "candidateCount", "candidate_count"),
    find_tools=_find_tools,
    embeds=lambda path: path.endswith((":embedContent", ":batchEmbedContents")),
    embedded=("embedding", "embeddings"),
    is_whole=_is_whole,
    is_stream_whole=_is_stream_whole,
)
