"""What cannot be translated: constraints are refused with the field's path, hints are left out and named, what keeps
part of its meaning is named too."""

import pytest

from router.errors import BadRequest
from router.wire import translate
from router.wire.raw import sse

from .translations import DONE, TOOL, assistant, chunk, claude, context, gpt, sent, streamed, use, user

FUNCTION = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
FILE_ID = {"type": "image", "source": {"type": "file", "file_id": "f"}}
DOCUMENT = {"type": "document", "source": {"type": "url", "url": "http://a/b.pdf"}}
SEARCH = {"type": "web_search_20260318", "name": "web_search"}
FETCH = {"type": "web_fetch_20250910", "name": "web_fetch"}
EDITOR = {"type": "text_editor_20250728", "name": "str_replace_based_edit_tool"}
STRICT = {"type": "json_schema", "json_schema": {"name": "o", "schema": {"type": "object"}}}
SCHEMA = {"type": "json_schema", "schema": {"type": "object", "properties": {"a": {"type": "string"}}}}

REFUSED = {
    "messages": [
        ("max_tokens", "", claude(user("x"), max_tokens=0)),
        ("inference_geo", "", claude(user("x"), inference_geo="eu")),
        ("safeguards", "", claude(user("x"), safeguards=[{"type": "dangerous_tool_use", "classifier_context": {}}])),
        ("compaction", "", claude(user("x"), compaction={"type": "auto"})),
        ("container.skills", "", claude(user("x"), container={"skills": [{"id": "a"}]})),
        ("mcp_servers[0]", "", claude(user("x"), mcp_servers=[{"type": "url", "name": "a", "url": "http://a"}])),
        ("thread", "", claude(user("x"), thread={"type": "create"})),
        ("billing_policy", "", claude(user("x"), billing_policy={"bill_to": "user_profile"})),
        ("messages[0].content[0].source", "", claude(user([FILE_ID]))),
        ("messages[0]", "", claude(user([DOCUMENT]))),
        ("messages[0].content[0]", "", claude(user([{"type": "container_upload", "file_id": "f"}]))),
        ("tools[0]", "", claude(user("x"), tools=[SEARCH], tool_choice={"type": "any"})),
        ("tools[1]", "", claude(user("x"), tools=[TOOL, SEARCH], tool_choice={"type": "tool", "name": "web_search"})),
        ("tools[0]", "", claude(user("x"), tools=[FETCH], tool_choice={"type": "any"})),
        ("tools[1]", "", claude(user("x"), tools=[TOOL, FETCH], tool_choice={"type": "tool", "name": "web_fetch"})),
        ("tools[0]", "", claude(user("x"), tools=[{"type": "computer_20251124", "name": "computer"}])),
        ("tools[0].mcp_server_name", "", claude(user("x"), tools=[{"type": "mcp_toolset", "mcp_server_name": "a"}])),
        ("tools[0].name", "", claude(user("x"), tools=[{**TOOL, "name": " "}])),
        ("messages[1]", "", claude(user("x"), assistant("The answer is"))),
        ("output_config.format", "deepseek", claude(user("x"), output_config={"format": SCHEMA})),
        (
            "tool_choice",
            "lmstudio",
            claude(user("x"), tools=[TOOL, {**TOOL, "name": "g"}], tool_choice={"type": "tool", "name": "g"}),
        ),
    ],
    "chat": [
        ("n", "", gpt(user("x"), n=2)),
        ("modalities", "", gpt(user("x"), modalities=["text", "audio"])),
        ("audio", "", gpt(user("x"), audio={"voice": "a"})),
        ("messages[0].content[0]", "", gpt(user([{"type": "input_audio", "input_audio": {"data": ""}}]))),
        ("messages[0].content[0].file.file_id", "", gpt(user([{"type": "file", "file": {"file_id": "f"}}]))),
        ("moderation", "", gpt(user("x"), moderation={"policy": {"mode": "block"}})),
        ("messages", "", gpt(user("x"), assistant("The answer is"))),
        ("tools[0].type", "", gpt(user("x"), tools=[{"type": "hosted"}])),
    ],
}
NAMED = {
    "messages": [
        ("top_k=dropped", "openai", claude(user("x"), top_k=3)),
        ("temperature=dropped", "openai", claude(user("x"), temperature=0.5)),
        ("metadata.user_id=weakened", "openai", claude(user("x"), metadata={"user_id": "u"})),
        ("metadata.user_id=dropped", "deepseek", claude(user("x"), metadata={"user_id": "u"})),
        ("service_tier=dropped", "", claude(user("x"), service_tier="standard_only")),
        ("speed=dropped", "", claude(user("x"), speed="fast")),
        ("output_config.task_budget=dropped", "", claude(user("x"), output_config={"task_budget": {"total": 9}})),
        ("context_management=dropped", "", claude(user("x"), context_management={"edits": []})),
        ("container=dropped", "", claude(user("x"), container="c")),
        ("fallbacks=dropped", "", claude(user("x"), fallbacks=[{"model": "m"}])),
        ("fallback_credit_token=dropped", "", claude(user("x"), fallback_credit_token="t")),
        ("thinking=weakened", "openai", claude(user("x"), thinking={"type": "enabled", "budget_tokens": 2000})),
        ("output_config.effort=dropped", "", claude(user("x"), output_config={"effort": "low"})),
        ("output_config.format=weakened", "openai", claude(user("x"), output_config={"format": SCHEMA})),
        ("tools[0].strict=weakened", "", claude(user("x"), tools=[{**TOOL, "strict": True, "input_schema": SCHEMA}])),
        ("tools[0].input_examples=weakened", "", claude(user("x"), tools=[{**TOOL, "input_examples": [{}]}])),
        ("tools[0].defer_loading=weakened", "", claude(user("x"), tools=[{**TOOL, "defer_loading": True}])),
        ("tools[0]=dropped", "", claude(user("x"), tools=[{**TOOL, "allowed_callers": ["code"]}])),
        ("tools[0]=dropped", "", claude(user("x"), tools=[SEARCH])),
        ("tools[1]=dropped", "", claude(user("x"), tools=[TOOL, SEARCH], tool_choice={"type": "any"})),
        ("tools[0]=dropped", "", claude(user("x"), tools=[FETCH, TOOL])),
        ("tools[0]=dropped", "", claude(user("x"), tools=[{"type": "code_execution_20250825", "name": "c"}, TOOL])),
        ("tools[0]=dropped", "", claude(user("x"), tools=[{"type": "advisor_20260301", "name": "advisor"}])),
        ("tools[0]=dropped", "", claude(user("x"), tools=[{"type": "hologram_20270101", "name": "h"}])),
        ("tools[0].max_characters=dropped", "", claude(user("x"), tools=[{**EDITOR, "max_characters": 9}])),
        (
            "tools[0].hologram=dropped",
            "",
            claude(user("x"), tools=[{"type": "bash_20250124", "name": "bash", "hologram": 1}]),
        ),
        ("diagnostics=dropped", "", claude(user("x"), diagnostics={"previous_message_id": "msg_1"})),
        (
            "thinking.block_binding=dropped",
            "",
            claude(user("x"), thinking={"type": "adaptive", "block_binding": {"a": 1}}),
        ),
        ("metadata.team=dropped", "", claude(user("x"), metadata={"team": "a"})),
        ("messages[0].hologram=dropped", "", claude({**user("x"), "hologram": 1})),
        ("messages[0].content[0].hologram=dropped", "", claude(user([{"type": "text", "text": "x", "hologram": 1}]))),
        ("system[0].hologram=dropped", "", claude(user("x"), system=[{"type": "text", "text": "x", "hologram": 1}])),
        ("messages[1].tool_calls=weakened", "", claude(user("x"), assistant([use()]), user("y"))),
        ("messages[1]=weakened", "llamacpp", claude(user("x"), {"role": "system", "content": "s"}, user("y"))),
    ],
    "chat": [
        *(
            (f"{name}=dropped", "", gpt(user("x"), **{name: value}))
            for name, value in {
                "logprobs": True,
                "logit_bias": {"1": 1},
                "seed": 1,
                "frequency_penalty": 1,
                "presence_penalty": 0.5,
                "prediction": {"type": "content", "content": "x"},
                "verbosity": "low",
                "store": True,
                "metadata": {"a": "b"},
                "prompt_cache_retention": "24h",
                "service_tier": "flex",
                "moderation": {"policy": {"mode": "score"}},
            }.items()
        ),
        ("stop=dropped", "", gpt(user("x"), stop=[" ", "END"])),
        ("temperature=weakened", "", gpt(user("x"), temperature=1.5)),
        ("top_p=dropped", "", gpt(user("x"), temperature=0.5, top_p=0.5)),
        ("response_format=weakened", "", gpt(user("x"), response_format=STRICT)),
        ("response_format=weakened", "", gpt(user("x"), response_format={"type": "json_object"})),
        ("reasoning_effort=weakened", "", gpt(user("x"), reasoning_effort="xhigh")),
        ("user=weakened", "", gpt(user("x"), user="a@b.c")),
        ("messages[0].name=dropped", "", gpt({**user("x"), "name": "n"})),
        (
            "tool_choice.allowed_tools=weakened",
            "",
            gpt(
                user("x"),
                tools=[FUNCTION],
                tool_choice={"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [FUNCTION]}},
            ),
        ),
    ],
}
#: Fields that change nothing; they are not reported.
IDLE = [
    ("chat", gpt(user("x"), seed=None, logprobs=False, frequency_penalty=0, logit_bias={}, store=False, metadata={})),
    ("messages", claude(user([{"type": "text", "text": "x", "citations": None}]), tools=[EDITOR], diagnostics=None)),
]


def cases(table):
    return [
        pytest.param(source, path, vendor, body, id=f"{source}-{path}-{vendor}")
        for source, rows in table.items()
        for path, vendor, body in rows
    ]


def model_of(source, vendor):
    """A model of the kind each row is about."""
    return "gpt-5" if vendor == "openai" else "claude-sonnet-4-6" if source == "chat" else "m"


@pytest.mark.parametrize(("source", "path", "vendor", "body"), cases(REFUSED))
@pytest.mark.parametrize("policy", ["warn", "silent"])
def test_constraints_are_refused(source, path, vendor, body, policy):
    """A constraint is refused with the path of its field, for every setting of losses."""
    with pytest.raises(BadRequest) as caught:
        sent(body, source, vendor, model=model_of(source, vendor), policy=policy)
    assert caught.value.message.startswith(f"{path}:")


@pytest.mark.parametrize(("source", "loss", "vendor", "body"), cases(NAMED))
def test_hints_are_named(source, loss, vendor, body):
    """Hints are left out and named as losses; where losses are refused, with the same path."""
    assert loss in sent(body, source, vendor, model=model_of(source, vendor))[1]
    with pytest.raises(BadRequest) as caught:
        sent(body, source, vendor, model=model_of(source, vendor), policy="strict")
    assert caught.value.message.startswith(f"{loss.partition('=')[0]}:")


@pytest.mark.parametrize(("source", "body"), IDLE)
def test_what_changes_nothing_is_not_named(source, body):
    """Fields that change nothing are neither refused nor named as lost."""
    assert sent(body, source, policy="strict")[1] == []


MODERATION = b'data: {"id":"c1","choices":[],"moderation":{"results":[{"flagged":true}]}}\n\n'
COUNTED = chunk({"content": "so"}) + chunk({}, "stop") + b'data: {"choices":[],"usage":{"prompt_tokens":9}}\n\n'
NOTE = b": fairlead-loss moderation=dropped\n\n"


@pytest.mark.parametrize("target", ["messages", "responses"])
def test_a_loss_behind_the_end_is_named(target):
    """What a server sends behind the counts, which end the answer, is named once, and is no event."""
    for pieces in ([COUNTED + MODERATION + DONE], [COUNTED, MODERATION, DONE], [COUNTED, MODERATION, MODERATION, DONE]):
        made = streamed(pieces, "chat", target=target)
        assert made.count(NOTE) == 1
        assert list(translate.payloads(made.replace(NOTE, b""))) == list(translate.payloads(made))
        assert sse.parse_event(NOTE).data == b""
    made = streamed([COUNTED, MODERATION, DONE], "chat", context(policy="silent"), target)
    assert b"fairlead-loss" not in made


@pytest.mark.parametrize("target", ["messages", "responses"])
def test_losses_in_front_of_the_end_are_named_there(target):
    """Each is named once, also when more follow."""
    made = streamed([chunk({"content": "so"}, aura=1), COUNTED, MODERATION, DONE], "chat", target=target)
    assert made.count(b": fairlead-loss aura=dropped\n\n") == made.count(NOTE) == 1
    assert made.count(b"fairlead-loss") == 2
