"""What a whole card sends is what the vendors' own SDKs can send, but for what a probe gets wrong on purpose."""

import pytest
import trio
from anthropic.types.beta.message_create_params import MessageCreateParamsNonStreaming as MessagesParams
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming as ChatParams
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming as ResponsesParams
from pydantic import TypeAdapter, ValidationError

from .defective import Defective
from .test_defects import run_whole

KINDS = {
    "messages": ("/v1/messages", MessagesParams),
    "chat": ("/v1/chat/completions", ChatParams),
    "responses": ("/v1/responses", ResponsesParams),
}


def read_all(value):
    """The value with its lists read: pydantic checks the items of an Iterable when they are taken."""
    if isinstance(value, dict):
        return {name: read_all(inner) for name, inner in value.items()}
    if value is None or isinstance(value, str | int | float):
        return value
    return [read_all(inner) for inner in value]


def is_wrong_on_purpose(body):
    """True for the effort that does not exist, the conversation without a turn, the request without anything, and an
    image in the result of a tool, which Chat does not have by its documentation."""
    result = next((turn for turn in body.get("messages", ()) if turn["role"] == "tool"), {})
    image = isinstance(result.get("content"), list) and "image_url" in str(result)
    return "'fairlead'" in str(body) or [] in (body.get("messages"), body.get("input")) or image


@pytest.mark.parametrize("protocol", KINDS)
def test_requests_have_the_vendors_form(protocol):
    """By the types of the SDK of each protocol."""
    path, kind = KINDS[protocol]
    sent = []

    async def note(asked, send):
        if asked.path == path and asked.body:
            sent.append({name: value for name, value in asked.body.items() if name != "stream"})
        return await send(asked)

    trio.run(lambda: run_whole(Defective(note), protocols=(protocol,)))
    check, wrong = TypeAdapter(kind), []
    for body in sent:
        try:
            read_all(check.validate_python(body))
        except ValidationError as error:
            if not is_wrong_on_purpose(body):
                wrong.append((body, str(error)[:500]))
    assert wrong == []
    assert len(sent) > 40
