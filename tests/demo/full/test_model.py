"""demo-full over real sockets: each feature of the three protocols, in each that has it."""

import base64
import json
import struct
import zlib

import anthropic
import httpx
import openai
import pytest

PATHS = {"messages": "/v1/messages", "chat": "/v1/chat/completions", "responses": "/v1/responses"}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
LONG = "All of this is only here to be cached. " * 200


def png(pixel: bytes) -> str:
    """A PNG of one pixel, as base64."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    raw = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" + pixel)) + chunk(b"IEND", b"")
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + raw).decode()


RED = png(b"\xff\0\0")
PDF = base64.b64encode(b"%PDF-1.4 stream BT (The code word is lychee.) Tj ET endstream").decode()
WAV = base64.b64encode(b"RIFF\x24\0\0\0WAVEfmt ").decode()


def ask(http: httpx.Client, protocol: str, turns: object, status: int = 200, **fields: object) -> dict:
    """The answer to turns, as JSON."""
    body = {"model": "demo-full", **({"max_tokens": 2000} if protocol == "messages" else {})}
    body |= {"input" if protocol == "responses" else "messages": turns, **fields}
    answer = http.post(PATHS[protocol], json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def user(content: object) -> dict:
    return {"role": "user", "content": content}


def text_of(protocol: str, answer: dict) -> str:
    """The text of an answer."""
    if protocol == "messages":
        return "".join(block.get("text", "") for block in answer["content"])
    if protocol == "chat":
        return answer["choices"][0]["message"]["content"]
    return "".join(part["text"] for item in answer["output"] for part in item.get("content", ()))


def calls_of(protocol: str, answer: dict) -> list[tuple[str, str]]:
    """The ids and names of an answer's calls."""
    if protocol == "messages":
        return [(block["id"], block["name"]) for block in answer["content"] if block["type"] == "tool_use"]
    if protocol == "chat":
        calls = answer["choices"][0]["message"].get("tool_calls", ())
        return [(call["id"], call[call["type"]]["name"]) for call in calls]
    return [(item["call_id"], item["name"]) for item in answer["output"] if "call_id" in item]


def tools_for(protocol: str, *names: str) -> list[dict]:
    """Functions with these names."""
    if protocol == "messages":
        return [{"name": name, "input_schema": SCHEMA} for name in names]
    if protocol == "chat":
        return [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in names]
    return [{"type": "function", "name": name, "parameters": SCHEMA} for name in names]


def choice_for(protocol: str, name: str) -> dict:
    """The tool choice that names a tool."""
    if protocol == "messages":
        return {"type": "tool", "name": name}
    return (
        {"type": "function", "function": {"name": name}} if protocol == "chat" else {"type": "function", "name": name}
    )


def round_of(protocol: str, name: str, result: object) -> list[dict]:
    """A call with that id and its result."""
    if protocol == "messages":
        call = {"type": "tool_use", "id": name, "name": "read_it", "input": {}}
        content = [{"type": "tool_result", "tool_use_id": name, "content": result}]
        return [{"role": "assistant", "content": [call]}, user(content)]
    if protocol == "chat":
        call = {"id": name, "type": "function", "function": {"name": "read_it", "arguments": "{}"}}
        return [
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": name, "content": result},
        ]
    return [
        {"type": "function_call", "call_id": name, "name": "read_it", "arguments": "{}"},
        {"type": "function_call_output", "call_id": name, "output": result},
    ]


every = pytest.mark.parametrize("protocol", PATHS)


@every
def test_code_words(http: httpx.Client, protocol: str) -> None:
    """It answers with the code words of all turns but its own, whatever their roles; without any it repeats."""
    turns = [
        {"role": "system", "content": "The first code word is fig."},
        user("Hello."),
        {"role": "assistant", "content": "The code word is nothing."},
        user("The code word is kumquat."),
        user(""),
        {"role": "system", "content": "The last code word is lime."},
    ]
    assert text_of(protocol, ask(http, protocol, turns)) == "fig, kumquat, lime"
    assert text_of(protocol, ask(http, protocol, [user("Say hello")])) == "Say hello"


def test_prefill(http: httpx.Client) -> None:
    """An answer that has begun is continued."""
    turns = [user("The code word is fig."), {"role": "assistant", "content": "It is"}]
    for protocol in ("messages", "chat"):
        assert text_of(protocol, ask(http, protocol, turns)) == " fig"
    turns = [user("Write the letters from A to D."), {"role": "assistant", "content": "A B"}]
    assert text_of("chat", ask(http, "chat", turns)) == " C D"


@every
def test_tool_choice(http: httpx.Client, protocol: str) -> None:
    """Two tools are called at once unless that is off; one that is named; none where that is said or one came back."""
    tools = tools_for(protocol, "read_a", "read_b", "x" * 100)
    turns = [user("Read.")]

    def called(**fields: object) -> list[str]:
        return [name for _, name in calls_of(protocol, ask(http, protocol, turns, tools=tools, **fields))]

    one = {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}
    assert called() == ["read_a", "read_b"]
    assert called(**(one if protocol == "messages" else {"parallel_tool_calls": False})) == ["read_a"]
    assert called(tool_choice=choice_for(protocol, "x" * 100)) == ["x" * 100]
    assert called(tool_choice={"type": "none"} if protocol == "messages" else "none") == []
    ask(http, protocol, turns, 400, tools=tools, tool_choice=choice_for(protocol, "gone"))


@every
def test_two_rounds(http: httpx.Client, protocol: str) -> None:
    """After a result it answers, or calls again under another id where that is demanded."""
    tools, turns = tools_for(protocol, "read_it"), [user("Read.")]
    forced = {"type": "any"} if protocol == "messages" else "required"
    [(first, _)] = calls_of(protocol, ask(http, protocol, turns, tools=tools, tool_choice=forced))
    turns += round_of(protocol, first, "The code word is fig.")
    [(second, _)] = calls_of(protocol, ask(http, protocol, turns, tools=tools, tool_choice=forced))
    assert first != second
    turns += round_of(protocol, second, "The code word is lime.")
    assert text_of(protocol, ask(http, protocol, turns, tools=tools)) == "fig, lime"


@every
def test_tool_results(http: httpx.Client, protocol: str) -> None:
    """Results may be lists with images, under any id that a call has; others are refused."""
    kind = "input_text" if protocol == "responses" else "text"
    image = {
        "messages": {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": RED}},
        "chat": {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{RED}"}},
        "responses": {"type": "input_image", "image_url": f"data:image/png;base64,{RED}"},
    }[protocol]
    turns = [user("Read."), *round_of(protocol, "my own-id", [{"type": kind, "text": "The code word is fig."}, image])]
    assert text_of(protocol, ask(http, protocol, turns)) == "fig, red"
    del turns[1]
    assert "belongs to no call" in json.dumps(ask(http, protocol, turns, 400))


@pytest.mark.parametrize("grammar", ['start: "north" | "south"', 'start : "north"\nB: "x"'])
def test_grammar(http: httpx.Client, grammar: str) -> None:
    """The text of a custom tool is one that its grammar allows."""
    detail = {"type": "grammar", "syntax": "lark", "definition": grammar}
    custom = {"type": "custom", "name": "read_it", "format": detail}
    [item] = ask(http, "responses", "Go.", tools=[custom])["output"]
    assert (item["type"], item["input"]) == ("custom_tool_call", "north")
    detail = {"type": "grammar", "grammar": {"syntax": "lark", "definition": grammar}}
    wrapped = {"type": "custom", "custom": {"name": "read_it", "format": detail}}
    [call] = ask(http, "chat", [user("Go.")], tools=[wrapped])["choices"][0]["message"]["tool_calls"]
    assert call["custom"] == {"name": "read_it", "input": "north"}


def test_namespace_and_additional_tools(http: httpx.Client) -> None:
    """A tool of a namespace is called with it, and so is one that an item of the input brings."""
    [inner] = tools_for("responses", "read_it")
    group = {"type": "namespace", "name": "shelf", "description": "A shelf.", "tools": [inner]}
    brought = {"type": "additional_tools", "role": "developer", "tools": [group]}
    for fields in ({"turns": "Go.", "tools": [group]}, {"turns": [brought, user("Go.")]}):
        [item] = ask(http, "responses", **fields)["output"]
        assert (item["namespace"], item["name"]) == ("shelf", "read_it")


@every
def test_limit(http: httpx.Client, protocol: str) -> None:
    """An answer ends at the limit, and says so."""
    fields = {
        "messages": ["max_tokens"],
        "chat": ["max_tokens", "max_completion_tokens"],
        "responses": ["max_output_tokens"],
    }
    ended = {"messages": "max_tokens", "chat": "length", "responses": {"reason": "max_output_tokens"}}
    for field in fields[protocol]:
        answer = ask(http, protocol, [user("one two three four five")], **{field: 2})
        assert text_of(protocol, answer) == "one two"
        told = answer["choices"][0] if protocol == "chat" else answer
        assert (told.get("stop_reason") or told.get("finish_reason") or told["incomplete_details"]) == ended[protocol]
        ask(http, protocol, [user("hi")], 400, **{field: -1})


def test_stops(http: httpx.Client) -> None:
    """The first stop sequence of many ends the text."""
    stops = ["5", "6", "7", "8", "9", " three"]
    answer = ask(http, "messages", [user("one two three")], stop_sequences=stops)
    assert (text_of("messages", answer), answer["stop_sequence"]) == ("one two", " three")
    assert text_of("chat", ask(http, "chat", [user("one two three")], stop=stops)) == "one two"


def test_choices_and_logprobs(http: httpx.Client) -> None:
    """A request for several choices gets them, each word with its probability; streamed as well."""
    fields = {"n": 2, "logprobs": True, "top_logprobs": 1, "seed": 7}
    choices = ask(http, "chat", [user("one two")], **fields)["choices"]
    assert [choice["message"]["content"] for choice in choices] == ["one two"] * 2
    assert [word["token"] for word in choices[1]["logprobs"]["content"]] == ["one ", "two"]
    body = {"model": "demo-full", "messages": [user("one two")], "stream": True, **fields}
    lines = http.post(PATHS["chat"], json=body).text.split("\n\n")
    assert lines[0] == ": ping"
    found = [json.loads(line.removeprefix("data: "))["choices"][0] for line in lines[1:-2]]
    assert [one["index"] for one in found if one["finish_reason"]] == [0, 1]
    assert [one["logprobs"]["content"][0]["token"] for one in found if one["logprobs"]] == ["one ", "two"] * 2


def test_chat_reasoning(http: httpx.Client) -> None:
    """Every effort is taken but one that does not exist, and brings reasoning unless it is none."""
    for effort in ("none", "minimal", "low", "medium", "high", "xhigh", "max"):
        answer = ask(http, "chat", [user("hi")], reasoning_effort=effort)
        assert ("reasoning_content" in answer["choices"][0]["message"]) == (effort != "none")
        tokens = answer["usage"]["completion_tokens_details"]["reasoning_tokens"]
        assert (tokens > 0) == (effort != "none")
    ask(http, "chat", [user("hi")], 400, reasoning_effort="extreme")


@pytest.mark.parametrize("thinking", [{"type": "adaptive"}, {"type": "enabled", "budget_tokens": 1024}])
def test_messages_thinking(claude: anthropic.Anthropic, http: httpx.Client, thinking: dict) -> None:
    """Thinking is signed, taken back as it was, and refused with a foreign signature."""
    with claude.messages.stream(model="demo-full", max_tokens=2000, messages=[user("hi")], thinking=thinking) as stream:
        content = [block.model_dump(exclude_none=True) for block in stream.get_final_message().content]
    assert [block["type"] for block in content] == ["thinking", "text"]
    assert content[0]["signature"]
    turns = [user("hi"), {"role": "assistant", "content": content}, user("again")]
    assert text_of("messages", ask(http, "messages", turns, thinking=thinking)) == "again"
    content[0]["thinking"] = "Something else."
    assert "signature" in ask(http, "messages", turns, 400, thinking=thinking)["error"]["message"]


@pytest.mark.parametrize("thinking", [{"type": "enabled"}, {"type": "enabled", "budget_tokens": 5000}, {"type": "x"}])
def test_thinking_refused(http: httpx.Client, thinking: dict) -> None:
    """A budget that is missing or beyond the limit is refused, and so is another kind."""
    ask(http, "messages", [user("hi")], 400, thinking=thinking)


def test_responses_reasoning(gpt: openai.OpenAI, http: httpx.Client) -> None:
    """Reasoning is sealed, taken back as it was, and refused with foreign content."""
    fields = {"reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"]}
    with gpt.responses.stream(model="demo-full", input="hi", **fields) as stream:
        answer = stream.get_final_response()
    reasoning = answer.output[0].model_dump(exclude_none=True)
    assert (reasoning["type"], answer.output_text) == ("reasoning", "hi")
    assert reasoning["summary"][0]["text"]
    turns = [user("hi"), reasoning, {"role": "assistant", "content": "hi"}, user("again")]
    assert text_of("responses", ask(http, "responses", turns)) == "again"
    reasoning["encrypted_content"] = "Z2FyYmFnZQ=="
    ask(http, "responses", turns, 400)


def test_inputs(http: httpx.Client) -> None:
    """It names the colour of an image, reads a PDF and notices audio; it loads no address, and refuses garbage."""
    source = {"type": "base64", "media_type": "image/png", "data": png(b"\0\0\xf0")}
    parts = [
        ("messages", {"type": "image", "source": source}, "blue"),
        ("messages", {"type": "image", "source": {"type": "url", "url": "https://a.example/x.png"}}, "at a.example"),
        ("messages", {"type": "document", "source": {"type": "base64", "data": PDF}}, "lychee"),
        ("chat", {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PDF}"}}, "lychee"),
        ("chat", {"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}}, "audio"),
        ("responses", {"type": "input_file", "file_data": f"data:application/pdf;base64,{PDF}"}, "lychee"),
    ]
    for protocol, part, seen in parts:
        assert seen in text_of(protocol, ask(http, protocol, [user([part])])), part
    for data in ("AAAA", "!", base64.b64encode(b"\x89PNG\r\n\x1a\nxx").decode()):
        ask(http, "messages", [user([{"type": "image", "source": {**source, "data": data}}])], 400)


def test_cache(http: httpx.Client) -> None:
    """A long prompt that comes again is reported as cached: by its marks in Messages, else by itself."""
    system = [{"type": "text", "text": f"{LONG}test_cache", "cache_control": {"type": "ephemeral"}}]
    first, second = (ask(http, "messages", [user(text)], system=system)["usage"] for text in ("a", "b"))
    assert first["cache_creation_input_tokens"] == second["cache_read_input_tokens"] > 2000
    assert (first["cache_read_input_tokens"], second["cache_creation_input_tokens"]) == (0, 0)
    unmarked = [{"type": "text", "text": f"{LONG}unmarked"}]
    for text in ("a", "b"):
        assert ask(http, "messages", [user(text)], system=unmarked)["usage"]["cache_read_input_tokens"] == 0
    turns = [{"role": "system", "content": f"{LONG}chat"}]
    first, second = (ask(http, "chat", [*turns, user(text)])["usage"]["prompt_tokens_details"] for text in ("a", "b"))
    assert (first["cached_tokens"], second["cached_tokens"]) == (0, first["cache_write_tokens"] - 1)
    first, second = (ask(http, "responses", text, instructions=f"{LONG}new")["usage"] for text in ("a", "b"))
    assert first["input_tokens_details"]["cached_tokens"] == 0 < second["input_tokens_details"]["cached_tokens"]


@every
def test_window(http: httpx.Client, protocol: str) -> None:
    """A prompt beyond the window that the list of models names is refused in the vendor's words, with the numbers."""
    window = http.get("/v1/models/demo-full").json()["context_window"]
    error = ask(http, protocol, [user("x" * 4 * window)], 400)["error"]
    assert str(window) in error["message"]
    if protocol == "messages":
        assert error["message"].startswith("prompt is too long: ")
    else:
        assert error["code"] == "context_length_exceeded"


def test_web_search(http: httpx.Client, claude: anthropic.Anthropic, gpt: openai.OpenAI) -> None:
    """A search that is asked for is shown with the one page that there is."""
    tool = {"type": "web_search_20250305", "name": "web_search"}
    with claude.messages.stream(
        model="demo-full", max_tokens=99, tools=[tool], messages=[user("Search for figs")]
    ) as stream:
        message = stream.get_final_message()
    assert [block.type for block in message.content] == ["server_tool_use", "web_search_tool_result", "text"]
    assert message.content[0].input == {"query": "Search for figs"}
    with gpt.responses.stream(model="demo-full", input="Search for figs", tools=[{"type": "web_search"}]) as stream:
        assert [item.type for item in stream.get_final_response().output] == ["web_search_call", "message"]


def test_chat_web_search(gpt: openai.OpenAI) -> None:
    """In Chat the page is cited, whole and streamed, and the words are those of the answer alone."""
    body = {"model": "demo-full", "messages": [user("Search for figs")], "web_search_options": {}}
    message = gpt.chat.completions.create(**body).choices[0].message
    assert (message.content, len(message.annotations)) == ("Search for figs", 1)
    with gpt.chat.completions.stream(**body) as stream:
        assert stream.get_final_completion().choices[0].message.content == "Search for figs"


def test_compaction(http: httpx.Client) -> None:
    """A trigger gets the conversation in one item, which stands for it later; a foreign item is refused."""
    turns = [user("The code word is fig."), {"type": "compaction_trigger"}]
    [item] = ask(http, "responses", turns)["output"]
    assert item["type"] == "compaction"
    assert text_of("responses", ask(http, "responses", [item, user("Which?")])) == "fig"
    ask(http, "responses", [{**item, "encrypted_content": "foreign"}, user("Which?")], 400)


def test_previous_response(http: httpx.Client) -> None:
    """A stored response is gone on from; one that was not stored is not known."""
    first = ask(http, "responses", "The code word is fig.")
    assert text_of("responses", ask(http, "responses", "Which?", previous_response_id=first["id"])) == "fig"
    unkept = ask(http, "responses", "The code word is lime.", store=False)
    error = ask(http, "responses", "Which?", 400, previous_response_id=unkept["id"])["error"]
    assert error["code"] == "previous_response_not_found"


@every
@pytest.mark.parametrize("stream", [False, True])
def test_gzip(http: httpx.Client, protocol: str, stream: bool) -> None:
    """Packed where it is accepted, in the same words as plain."""
    field = "input" if protocol == "responses" else "messages"
    body = {"model": "demo-full", "max_tokens": 99, field: [user("one two")], "stream": stream}
    packed, plain = (
        http.post(PATHS[protocol], json=body, headers={"accept-encoding": name}) for name in ("gzip", "identity")
    )
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.text == plain.text
    assert "two" in plain.text


@every
@pytest.mark.parametrize("turns", [[""], [[]], [3, None]])
def test_no_turn(http: httpx.Client, protocol: str, turns: list) -> None:
    """A conversation without a turn is refused."""
    ask(http, protocol, turns, 400)


def test_old_endpoints(gpt: openai.OpenAI) -> None:
    """Endpoints without its features answer as for the other models."""
    assert gpt.completions.create(model="demo-full", prompt="a b").choices[0].text == "a b"
    assert len(gpt.embeddings.create(model="demo-full", input="hello").data[0].embedding) == 256
