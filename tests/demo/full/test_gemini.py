"""demo-full by Google's API: what the real one has and checks."""

import base64

import pytest

from ..test_gemini import SCHEMA, ask, parts_of, stream, user
from .test_model import LONG, PDF, RED

MODEL = "demo-full"
TOOLS = [{"functionDeclarations": [{"name": name, "parametersJsonSchema": SCHEMA} for name in ("read_a", "read_b")]}]
THINK = {"thinkingConfig": {"includeThoughts": True, "thinkingLevel": "LOW"}}


def generate(http, contents, status=200, /, **fields):
    return ask(http, MODEL, "generateContent", status, contents=contents, **fields)


def answer_calls(parts):
    """A user's content with a result for each call."""
    calls = [part["functionCall"] for part in parts if "functionCall" in part]
    responses = [{"id": one["id"], "name": one["name"], "response": {"output": "done"}} for one in calls]
    return {"role": "user", "parts": [{"functionResponse": one} for one in responses]}


def test_code_words_and_what_is_seen(http):
    """From the system prompt, texts, images in either alphabet of base64, files, and the results of tools."""
    red = RED.replace("+", "-").replace("/", "_").rstrip("=")
    contents = [
        {
            "parts": [
                {"text": "The code word is fig."},
                {"inlineData": {"mimeType": "image/png", "data": red}},
                {"inline_data": {"mime_type": "application/pdf", "data": PDF}},
                {"fileData": {"mimeType": "image/png", "fileUri": "https://example.com/a.png"}},
            ]
        },
    ]
    system = {"parts": [{"text": "The code word is lime."}]}
    [part] = parts_of(generate(http, contents, systemInstruction=system))
    assert part["text"] == "lime, fig, red, lychee, an image at example.com, which the demo does not load"


def test_thoughts(http):
    """They are told where that is asked for, and counted apart; the signature stands behind the text."""
    answer = generate(http, [user("Say hello")], generationConfig=THINK)
    thought, text, last = parts_of(answer)
    assert (thought["thought"], text, last["text"]) == (True, {"text": "Say hello"}, "")
    assert base64.b64decode(last["thoughtSignature"], validate=True)
    usage = answer["usageMetadata"]
    assert usage["thoughtsTokenCount"] > 0
    assert usage["totalTokenCount"] == sum(count for name, count in usage.items() if name != "totalTokenCount")
    chunks = stream(http, MODEL, contents=[user("Say hello")], generationConfig=THINK)
    assert parts_of(chunks[-1]) == [last]
    hidden = generate(http, [user("Say hello")], generationConfig={"thinkingConfig": {"thinkingLevel": "LOW"}})
    assert parts_of(hidden)[0] == {"text": "Say hello"}
    assert hidden["usageMetadata"]["thoughtsTokenCount"] == usage["thoughtsTokenCount"]


def test_a_round_with_signatures(http):
    """The first of two calls is signed; with its signature in either alphabet, or a documented text in its place, the
    round goes on."""
    parts = parts_of(generate(http, [user("Read.")], tools=TOOLS))
    assert ["thoughtSignature" in part for part in parts] == [True, False]
    own = parts[0]["thoughtSignature"]
    skip = "skip_thought_signature_validator"
    for signature in (own, own.replace("+", "-").replace("/", "_"), skip, base64.b64encode(skip.encode()).decode()):
        parts[0]["thoughtSignature"] = signature
        contents = [user("Read."), {"role": "model", "parts": parts}, answer_calls(parts)]
        assert parts_of(generate(http, contents, tools=TOOLS)) == [{"text": "The tool returned: done\ndone"}]


def test_signatures_that_are_refused(http):
    """None on the first call of the turn that goes on, and one that is not the demo's; an earlier turn needs none."""
    parts = parts_of(generate(http, [user("Read.")], tools=TOOLS))
    signature = parts[0].pop("thoughtSignature")
    contents = [user("Read."), {"role": "model", "parts": parts}, answer_calls(parts)]
    error = generate(http, contents, 400, tools=TOOLS)["error"]
    assert "missing a thought_signature" in error["message"]
    assert "position 2" in error["message"]
    later = [*contents, {"role": "model", "parts": [{"text": "Done."}]}, user("The code word is fig.")]
    assert parts_of(generate(http, later))[0]["text"] == "fig"
    parts[0]["thoughtSignature"] = base64.b64encode(b"x" + base64.b64decode(signature)).decode()
    assert generate(http, contents, 400, tools=TOOLS)["error"]["message"] == "Corrupted thought signature."


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"contents": [{"role": "assistant", "parts": [{"text": "x"}]}]}, "valid role"),
        (
            {"generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW", "thinkingBudget": 1}}},
            "only one of thinking",
        ),
        ({"generationConfig": {"thinkingConfig": {"thinkingLevel": "SOME"}}}, "thinking_level"),
        ({"generationConfig": {"stopSequences": list("abcdef")}}, "at most 5"),
        ({"generationConfig": {"temperature": 3}}, "temperature"),
        (
            {"contents": [user("x"), {"role": "user", "parts": [{"functionResponse": {"name": "f"}}]}]},
            "number of function",
        ),
        ({"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": "!"}}]}]}, "Base64"),
    ],
)
def test_what_is_wrong(http, fields, said):
    """It is refused, in words like Google's."""
    error = ask(http, MODEL, "generateContent", 400, **{"contents": [user("x")], **fields})["error"]
    assert said in error["message"]


def test_fewer_results_than_calls(http):
    """As many results as calls, behind the calls."""
    parts = parts_of(generate(http, [user("Read.")], tools=TOOLS))
    results = answer_calls(parts)
    results["parts"].pop()
    contents = [user("Read."), {"role": "model", "parts": parts}, results]
    assert "number of function response parts" in generate(http, contents, 400, tools=TOOLS)["error"]["message"]


def test_limits_stops_and_copies(http):
    """The limit holds for thoughts too; a stop sequence ends the text; several candidates are alike."""
    contents = [user("Write the letters from A to H.")]
    short = generate(http, contents, generationConfig={"maxOutputTokens": 2})["candidates"][0]
    assert (short["finishReason"], len(short["content"]["parts"][0]["text"])) == ("MAX_TOKENS", 7)
    stopped = generate(http, contents, generationConfig={"stopSequences": ["D"], "candidateCount": 2})["candidates"]
    assert [one["content"]["parts"] for one in stopped] == [[{"text": "A B C "}]] * 2
    assert [(one["index"], one["finishReason"]) for one in stopped] == [(0, "STOP"), (1, "STOP")]


def test_the_cache_and_the_search(http):
    """A prompt that came before is counted as cached without any mark; a search tells its page."""
    contents = [user(LONG), {"role": "model", "parts": [{"text": "ok"}]}, user("go on")]
    first = generate(http, contents)["usageMetadata"]
    again = generate(http, contents)["usageMetadata"]
    assert ("cachedContentTokenCount" in first, again["cachedContentTokenCount"] > 1000) == (False, True)
    assert again["promptTokenCount"] == first["promptTokenCount"]
    found = generate(http, [user("search for figs")], tools=[{"googleSearch": {}}])["candidates"][0]
    assert found["groundingMetadata"]["webSearchQueries"] == ["search for figs"]
