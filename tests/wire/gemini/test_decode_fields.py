"""The fields of a Gemini request: what each becomes, what is named as lost, and what is refused by its path."""

import pytest

from router.errors import BadRequest
from router.ir import Choice, Reasoning, Shape, Text, Tool, WebSearch
from router.wire.gemini.requests.decode_request import decode_request

from ..translations import context, sent
from .gemini_samples import LOOK, asked, decoded, user

OBJECT = {"type": "object", "properties": {"a": {"type": "string"}}}
PEEK = {"name": "peek"}
EMPTY = {"type": "object", "properties": {}}


def with_config(**config):
    """A request with a generationConfig."""
    return asked(user("go"), generationConfig=config)


def with_tools(*declarations, **calling):
    """A request with functions, and how they are to be called."""
    tools = [{"functionDeclarations": list(declarations)}]
    return asked(user("go"), tools=tools, toolConfig={"functionCallingConfig": calling})


FIELDS = [
    (asked(user("go"), model="models/gemini-x"), {"model": "gemini-x"}),
    (asked(user("go"), systemInstruction={"parts": [{"text": "a"}, {"text": ""}, {"text": "b"}]}), "system"),
    (asked(user("go"), systemInstruction={"role": "system", "parts": [{"text": "a"}, {"text": "b"}]}), "system"),
    (asked(user("go"), system_instruction={"parts": [{"text": "a"}, {"text": "b"}]}), "system"),
    (asked(user("go"), systemInstruction="ab"), {"system": (Text("ab"),)}),
    (with_config(maxOutputTokens=9), {"max_tokens": 9}),
    (with_config(max_output_tokens="9"), {"max_tokens": 9}),
    (asked(user("go"), generation_config={"maxOutputTokens": 9}), {"max_tokens": 9}),
    (with_config(stopSequences=["a", "b"]), {"stop": ("a", "b")}),
    (with_config(temperature=0.5, topP=0.9, topK=40), {"temperature": 0.5, "top_p": 0.9, "top_k": 40}),
    (with_config(top_p=1, top_k=40.0), {"top_p": 1, "top_k": 40}),
    (with_config(topK="40"), {"top_k": 40}),
    (with_config(candidateCount=1, responseModalities=["Text"]), {}),
    (with_config(seed=0, presencePenalty=0.0, frequencyPenalty=None), {}),
    (asked(user("go"), tools=[], safetySettings=[], cachedContent=None), {}),
    (asked(user("go"), serviceTier="standard", labels={}), {}),
]


@pytest.mark.parametrize(("body", "wanted"), FIELDS)
def test_fields_are_carried_over(body, wanted):
    """Each field becomes the neutral one of the same meaning, in either spelling, and nothing is lost."""
    request, losses = decoded(body)
    if wanted == "system":
        wanted = {"system": (Text("a"), Text("b"))}
    assert {name: getattr(request, name) for name in wanted} == wanted
    assert losses == []


REASONING = [
    ({"thinkingLevel": "HIGH"}, Reasoning(effort="high"), False),
    ({"thinkingLevel": "minimal", "includeThoughts": True}, Reasoning(effort="minimal", shown=True), True),
    ({"thinking_level": "XHIGH"}, Reasoning(effort="xhigh"), False),
    ({"thinkingBudget": 0}, Reasoning(off=True), False),
    ({"thinkingBudget": -1, "includeThoughts": True}, None, True),
    ({"thinkingBudget": "2048"}, Reasoning(budget=2048), False),
    ({"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED"}, None, False),
    # By itself it makes no model reason.
    ({"includeThoughts": True}, None, True),
    ({"includeThoughts": False}, None, False),
    ({}, None, False),
]


@pytest.mark.parametrize(("config", "reasoning", "shown"), REASONING)
def test_thinking_becomes_reasoning(config, reasoning, shown):
    """A level is an effort and a budget a budget; whether thoughts are read is for the answer."""
    ctx = context()
    request, losses = decoded(with_config(thinkingConfig=config), ctx)
    assert (request.reasoning, ctx.shows_reasoning, losses) == (reasoning, shown, [])


SHAPES = [
    ({}, None),
    ({"responseMimeType": "text/plain"}, None),
    ({"responseMimeType": "application/json"}, Shape(None)),
    ({"responseMimeType": "application/json", "responseJsonSchema": OBJECT}, Shape(OBJECT)),
    (
        {
            "responseMimeType": "application/json",
            "responseSchema": {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}},
        },
        Shape(OBJECT),
    ),
    ({"response_mime_type": "application/json", "response_json_schema": OBJECT}, Shape(OBJECT)),
    ({"responseJsonSchema": {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}}, Shape(OBJECT)),
    ({"responseFormat": [{"text": {"mimeType": "application/json", "schema": OBJECT}}]}, Shape(OBJECT)),
    ({"responseFormat": [{"text": {"mimeType": "application/json"}}]}, Shape(None)),
    ({"responseFormat": [{"text": {"mimeType": "text/plain"}}]}, None),
]


@pytest.mark.parametrize(("config", "shape"), SHAPES)
def test_response_forms_become_a_shape(config, shape):
    """JSON with or without a schema, in the two forms of schemas and in the newer list."""
    request, losses = decoded(with_config(**config))
    assert (request.shape, losses) == (shape, [])


def test_of_two_schemas_the_json_schema_counts():
    """The other one is named as lost."""
    both = {"responseMimeType": "application/json", "responseJsonSchema": OBJECT, "responseSchema": {"type": "STRING"}}
    request, losses = decoded(with_config(**both))
    assert (request.shape, losses) == (Shape(OBJECT), ["generationConfig.responseSchema=dropped"])


def test_functions_become_tools():
    """Those of all entries, with arguments that are an object where nothing else is said."""
    first = {"name": "a", "description": "d", "parameters": {"type": "OBJECT", "properties": {"q": {"type": "STRING"}}}}
    second = {"function_declarations": [{"name": "b", "parameters_json_schema": {"additionalProperties": False}}]}
    request, losses = decoded(asked(user("go"), tools=[{"functionDeclarations": [first, PEEK]}, second]))
    assert request.tools == (
        Tool("a", {"type": "object", "properties": {"q": {"type": "string"}}}, "d"),
        Tool("peek", EMPTY),
        Tool("b", {**EMPTY, "additionalProperties": False}),
    )
    assert (request.choice, losses) == (None, [])


NAMES = "toolConfig.functionCallingConfig.allowedFunctionNames"
CHOICES = [
    ({}, None, ("look", "peek"), None, []),
    ({"mode": "AUTO"}, None, ("look", "peek"), None, []),
    ({"mode": "MODE_UNSPECIFIED"}, None, ("look", "peek"), None, []),
    ({"mode": "any"}, Choice("any"), ("look", "peek"), None, []),
    ({"mode": "NONE"}, Choice("none"), ("look", "peek"), None, []),
    ({"mode": "ANY", "allowedFunctionNames": ["peek"]}, Choice("tool", "peek"), ("look", "peek"), None, []),
    ({"mode": "ANY", "allowedFunctionNames": ["peek", "look"]}, Choice("any"), ("look", "peek"), None, []),
    ({"mode": "AUTO", "allowedFunctionNames": ["peek"]}, None, ("look", "peek"), None, [f"{NAMES}=dropped"]),
    ({"mode": "VALIDATED"}, None, ("look", "peek"), True, ["toolConfig.functionCallingConfig.mode=weakened"]),
    (
        {"mode": "VALIDATED", "allowedFunctionNames": ["peek"]},
        None,
        ("peek",),
        True,
        [f"{NAMES}=weakened", "toolConfig.functionCallingConfig.mode=weakened"],
    ),
]


@pytest.mark.parametrize(("calling", "choice", "names", "strict", "wanted"), CHOICES)
def test_calling_modes_become_a_choice(calling, choice, names, strict, wanted):
    """A choice among some functions leaves the others out; validated calls want strict functions."""
    request, losses = decoded(with_tools(LOOK, PEEK, **calling))
    assert (request.choice, tuple(tool.name for tool in request.tools), losses) == (choice, names, wanted)
    assert {tool.strict for tool in request.tools} == {strict}


def test_several_allowed_functions_of_more_are_all_that_is_sent():
    """The rest is left out, which is named: it costs a place in the cache."""
    calling = {"mode": "ANY", "allowedFunctionNames": ["look", "peek"]}
    request, losses = decoded(with_tools(LOOK, PEEK, {"name": "other"}, **calling))
    assert (request.choice, [tool.name for tool in request.tools]) == (Choice("any"), ["look", "peek"])
    assert losses == [f"{NAMES}=weakened"]


def test_a_choice_without_functions_is_ignored():
    """Names of functions that the request does not hold choose nothing."""
    config = {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["gone"]}}
    request, losses = decoded(asked(user("go"), toolConfig=config))
    assert (request.choice, request.tools, losses) == (None, (), [])


LOSSES = [
    (with_config(seed=7), ["generationConfig.seed=dropped"]),
    (asked(user("go"), generation_config={"seed": 7}), ["generation_config.seed=dropped"]),
    (with_config(presencePenalty=0.1), ["generationConfig.presencePenalty=dropped"]),
    (with_config(responseLogprobs=True, logprobs=3), 2),
    (with_config(mediaResolution="MEDIA_RESOLUTION_LOW"), ["generationConfig.mediaResolution=dropped"]),
    (
        with_config(enableEnhancedCivicAnswers=True, audioTimestamp=True, routingConfig={"a": 1}, modelConfig={"a": 1}),
        4,
    ),
    (with_config(somethingNew=[1]), ["generationConfig.somethingNew=dropped"]),
    (with_config(thinkingConfig={"somethingNew": 1}), ["generationConfig.thinkingConfig.somethingNew=dropped"]),
    (asked(user("go"), labels={"a": "b"}), ["labels=dropped"]),
    (asked(user("go"), store=True), ["store=dropped"]),
    (asked(user("go"), serviceTier="flex"), ["serviceTier=dropped"]),
    (asked(user("go"), service_tier="PRIORITY"), ["service_tier=dropped"]),
    (asked(user("go"), safetySettings=[{"category": "A", "threshold": "BLOCK_NONE"}]), ["safetySettings=dropped"]),
    (asked(user("go"), safetySettings=[{"category": "A", "threshold": "off"}]), ["safetySettings=dropped"]),
    (asked(user("go"), safety_settings=[{"threshold": "BLOCK_LOW_AND_ABOVE"}]), ["safety_settings=weakened"]),
    (asked(user("go"), toolConfig={"retrievalConfig": {"languageCode": "de"}}), ["toolConfig.retrievalConfig=dropped"]),
    (
        with_tools({**LOOK, "behavior": "NON_BLOCKING", "response": {"type": "OBJECT"}}),
        [
            "tools[0].functionDeclarations[0].behavior=dropped",
            "tools[0].functionDeclarations[0].response=dropped",
        ],
    ),
]


@pytest.mark.parametrize(("body", "wanted"), LOSSES)
def test_hints_are_named_as_lost(body, wanted):
    """What no other protocol has is left out, and named as the caller spelled it."""
    _, losses = decoded(body)
    assert losses == wanted or len(losses) == wanted


REFUSED = [
    ({"contents": []}, "contents:"),
    ({}, "contents:"),
    ({"contents": {"parts": [{"text": "a"}]}}, "contents: expected a list"),
    ({"contents": "a"}, "contents:"),
    (with_config(candidateCount=2), "generationConfig.candidateCount:"),
    (with_config(responseModalities=["TEXT", "IMAGE"]), "generationConfig.responseModalities:"),
    (with_config(response_modalities=["audio"]), "generationConfig.response_modalities:"),
    (with_config(speechConfig={}), "generationConfig.speechConfig:"),
    (with_config(imageConfig={"aspectRatio": "1:1"}), "generationConfig.imageConfig:"),
    (with_config(audioTranscriptionConfig={}), "generationConfig.audioTranscriptionConfig:"),
    (with_config(responseMimeType="text/x.enum"), "generationConfig.responseMimeType:"),
    (with_config(responseMimeType="text/html"), "generationConfig.responseMimeType:"),
    (with_config(responseMimeType="text/plain", responseSchema={"type": "STRING"}), "generationConfig.responseSchema:"),
    (with_config(responseFormat=[{"image": {}}]), "generationConfig.responseFormat[0].image:"),
    (with_config(responseFormat=[], responseMimeType="text/plain"), "generationConfig.responseMimeType:"),
    (with_config(thinkingConfig={"thinkingLevel": "LOW", "thinkingBudget": 5}), "generationConfig.thinkingConfig:"),
    (with_config(thinkingConfig={"thinkingLevel": "DEEP"}), "generationConfig.thinkingConfig.thinkingLevel:"),
    (with_config(thinkingConfig={"thinkingBudget": -2}), "generationConfig.thinkingConfig.thinkingBudget:"),
    (with_config(maxOutputTokens=0), "generationConfig.maxOutputTokens:"),
    (with_config(maxOutputTokens="many"), "generationConfig.maxOutputTokens:"),
    (with_config(temperature="hot"), "generationConfig.temperature:"),
    (with_config(topK=-1), "generationConfig.topK:"),
    (with_config(stopSequences="a"), "generationConfig.stopSequences:"),
    (asked(user("go"), cachedContent="cachedContents/x"), "cachedContent:"),
    (asked(user("go"), cached_content="cachedContents/x"), "cached_content:"),
    (asked(user("go"), continuationToken="x"), "continuationToken:"),
    (asked(user("go"), modelArmorConfig={}), "modelArmorConfig:"),
    (asked(user("go"), tools=[{"googleSearch": True}]), "tools[0].googleSearch:"),
    (asked(user("go"), tools=[{"googleMaps": {}}]), "tools[0].googleMaps:"),
    (asked(user("go"), tools=[{"functionDeclarations": [LOOK], "url_context": {}}]), "tools[0].url_context:"),
    (asked(user("go"), tools=[{"codeExecution": {}}]), "tools[0].codeExecution:"),
    (asked(user("go"), tools=[{"mcpServers": [{"name": "a"}]}]), "tools[0].mcpServers:"),
    (asked(user("go"), tools=[{"somethingNew": {}}]), "tools[0].somethingNew:"),
    (with_tools({"description": "d"}), "tools[0].functionDeclarations[0].name:"),
    (with_tools({"name": " "}), "tools[0].functionDeclarations[0].name:"),
    (with_tools(LOOK, LOOK), "tools[0].functionDeclarations[1].name: another function"),
    (with_tools({"name": "a", "parameters": []}), "tools[0].functionDeclarations[0].parameters:"),
    (with_tools(LOOK, mode="SOMETIMES"), "toolConfig.functionCallingConfig.mode:"),
    (with_tools(LOOK, mode="ANY", allowedFunctionNames=["gone"]), f"{NAMES}: no function is named 'gone'"),
    (asked(user("go"), systemInstruction={"parts": [{"inlineData": {}}]}), "systemInstruction.parts[0].inlineData:"),
    (asked(user("go"), systemInstruction=[{"text": "a"}]), "systemInstruction:"),
    (asked(user("go"), safetySettings={}), "safetySettings:"),
]


@pytest.mark.parametrize(("body", "beginning"), REFUSED)
def test_what_cannot_be_carried_over_is_refused(body, beginning):
    """The error begins with the path of the field, as the caller spelled it."""
    with pytest.raises(BadRequest) as refused:
        decode_request(body, context())
    assert refused.value.message.startswith(beginning)


def test_two_spellings_of_one_field():
    """The camelCase one counts, and the other one is no loss."""
    request, losses = decoded(with_config(topP=0.1, top_p=0.9))
    assert (request.top_p, losses) == (0.1, [])


def test_strict_policy_refuses_hints():
    """With loss = strict a hint is refused by its path."""
    with pytest.raises(BadRequest, match=r"^generationConfig\.seed: it would be dropped"):
        decode_request(with_config(seed=7), context(policy="strict"))


def test_paths_of_later_losses_are_the_callers():
    """What a backend cannot take is named as the caller spelled it."""
    ctx = context()
    decoded(with_config(top_k=1, thinkingConfig={"thinking_level": "LOW"}, responseJsonSchema=OBJECT), ctx)
    wanted = {
        "top_k": "generationConfig.top_k",
        "stop": "generationConfig.stopSequences",
        "max_tokens": "generationConfig.maxOutputTokens",
        "reasoning": "generationConfig.thinkingConfig.thinking_level",
        "shape": "generationConfig.responseJsonSchema",
        "schema": "generationConfig.responseJsonSchema",
        "messages": "contents",
        "tool_choice": "toolConfig.functionCallingConfig",
    }
    assert {name: ctx.caller_path(name) for name in wanted} == wanted


def test_paths_of_tools_are_the_callers():
    """A loss of a function is named by its entry and its place there, also where some are left out."""
    union = {"name": "a", "parametersJsonSchema": {"anyOf": [{"type": "object"}]}}
    calling = {"mode": "VALIDATED", "allowedFunctionNames": ["a"]}
    tools = [{"functionDeclarations": [PEEK, LOOK]}, {"function_declarations": [union]}]
    body = asked(user("go"), tools=tools, toolConfig={"functionCallingConfig": calling})
    _, losses = sent(body, "gemini", "anthropic", "messages", model="claude-opus-5")
    assert "tools[1].function_declarations[0].parameters.anyOf=weakened" in losses


def test_refusals_of_a_backend_name_the_callers_fields():
    """What a backend cannot do is told in the words of the request."""
    prefill = {"contents": [user("go"), {"role": "model", "parts": [{"text": "The answer is"}]}]}
    with pytest.raises(BadRequest, match=r"^contents: the last message is the assistant's"):
        sent(prefill, "gemini", "anthropic", "messages", model="claude-opus-5")
    named = with_tools(LOOK, PEEK, mode="ANY", allowedFunctionNames=["peek"])
    with pytest.raises(BadRequest, match=r"^toolConfig\.functionCallingConfig: a certain tool cannot be forced"):
        sent(named, "gemini", "lmstudio", "chat")


SEARCHES = [
    ([{"googleSearch": {}}], WebSearch("tools[0].googleSearch", forced=True), []),
    ([{"google_search": {}}, {"googleSearch": {}}], WebSearch("tools[0].google_search", forced=True), []),
    (
        [{"googleSearch": {"excludeDomains": ["a.example"], "timeRangeFilter": {"startTime": "x"}}}],
        WebSearch("tools[0].googleSearch", blocked=("a.example",), forced=True),
        ["tools[0].googleSearch.timeRangeFilter=dropped"],
    ),
    (
        [{"googleSearchRetrieval": {"dynamicRetrievalConfig": {"mode": "MODE_DYNAMIC"}}}],
        WebSearch("tools[0].googleSearchRetrieval", forced=True),
        ["tools[0].googleSearchRetrieval.dynamicRetrievalConfig=dropped"],
    ),
    ([{"functionDeclarations": [LOOK], "googleSearch": {}}], WebSearch("tools[0].googleSearch"), []),
]


@pytest.mark.parametrize(("tools", "search", "wanted"), SEARCHES)
def test_a_search_of_google_is_a_web_search(tools, search, wanted):
    """Alone it must be made, since the request is for it; beside functions it is an offer."""
    request, losses = decoded(asked(user("go"), tools=tools))
    assert (request.hosted, losses) == ((search,), wanted)


def test_a_search_is_made_by_a_backend_that_has_one():
    """Elsewhere a request for a search alone is refused, and an offer is left out."""
    alone = asked(user("go"), tools=[{"googleSearch": {}}])
    body, _ = sent(alone, "gemini", "anthropic", "messages", model="claude-opus-5")
    assert [tool["name"] for tool in body["tools"]] == ["web_search"]
    with pytest.raises(BadRequest, match=r"^tools\[0\]\.googleSearch: the backend does not search the web"):
        sent(alone, "gemini", "", "chat")
    offered = asked(user("go"), tools=[{"functionDeclarations": [LOOK], "googleSearch": {}}])
    body, losses = sent(offered, "gemini", "", "chat")
    assert [tool["function"]["name"] for tool in body["tools"]] == ["look"]
    assert losses == ["tools[0].googleSearch=dropped"]
