"""OpenAI's SDK compacts conversations at backends that cannot, over real sockets, and goes on with them.

The backend is a second proxy with the demo models, which repeat what they are asked last. Messages joins neighbouring
messages of the user.
"""

import openai
import pytest

from .budgets import query
from .processes import until
from .test_translated_sdks import OPTIONS, started
from .test_why import why

TRIGGER = {"type": "compaction_trigger"}
SAID = [{"role": "user", "content": "Count the ships."}, {"role": "assistant", "content": "Three."}]
GO_ON = {"role": "user", "content": "And now?"}


def connected(proxy):
    proxy.settled("other")
    return openai.OpenAI(base_url=f"http://localhost:{proxy.port}/v1", **OPTIONS)


@pytest.fixture(scope="module", params=["chat", "messages", "responses"])
def client(request, tmp_path_factory, demo):
    with (
        started(tmp_path_factory.mktemp(request.param), demo, request.param) as proxy,
        connected(proxy) as found,
    ):
        yield found


def compact(client, **asked):
    """The item that a streamed request for a compaction came to."""
    with client.responses.stream(model="demo", input=[*SAID, TRIGGER], **asked) as stream:
        kinds = [event.type for event in stream]
        whole = stream.get_final_response()
    assert [kind for kind in kinds if "output" in kind] == ["response.output_item.added", "response.output_item.done"]
    assert (kinds[0], kinds[-1], whole.status) == ("response.created", "response.completed", "completed")
    assert whole.usage.total_tokens == whole.usage.input_tokens + whole.usage.output_tokens > 5
    [item] = whole.output
    return item


def test_a_stream(client):
    """It holds exactly one sealed item; a request with it in place of the conversation is answered."""
    item = compact(client)
    assert (item.type, item.id[:4]) == ("compaction", "cmp_")
    answer = client.responses.create(model="demo", input=[item.model_dump(exclude_none=True), GO_ON])
    assert answer.output_text.endswith("And now?")
    alone = client.responses.create(model="demo", input=[GO_ON])
    assert answer.usage.input_tokens > alone.usage.input_tokens + 20


def test_a_plain_answer(client):
    """The same without a stream."""
    [item] = client.responses.create(model="demo", input=[*SAID, TRIGGER]).output
    assert item.type == "compaction"


def test_the_endpoint(client):
    """The user's messages come back in front of the item, and all of it is the input of the next request."""
    found = client.responses.compact(model="demo", input=SAID, instructions="Be brief.")
    assert (found.object, found.id[:5]) == ("response.compaction", "resp_")
    assert [one.type for one in found.output] == ["message", "compaction"]
    assert found.output[0].content[0].text == "Count the ships."
    assert found.usage.total_tokens > 5
    output = [one.model_dump(exclude_none=True, warnings=False) for one in found.output]
    assert client.responses.create(model="demo", input=[*output, GO_ON]).output_text.endswith("And now?")


@pytest.mark.parametrize("model", ["demo-429", "demo-500"])
def test_an_error_of_the_backend_is_told(client, model):
    """As for any other request."""
    with pytest.raises(openai.APIStatusError, match=model):
        client.responses.create(model=model, input=[*SAID, TRIGGER])


def test_an_item_outlives_a_restart_and_moves(tmp_path, demo):
    """The key is the home's: after a restart, at a backend of another protocol. In another home it is refused."""
    with started(tmp_path, demo, "chat") as proxy, connected(proxy) as client:
        item = compact(client).model_dump(exclude_none=True)
    for protocol in ("messages", "responses"):
        with started(tmp_path, demo, protocol) as proxy, connected(proxy) as client:
            assert client.responses.create(model="demo", input=[item, GO_ON]).output_text.endswith("And now?")
    (tmp_path / "new").mkdir()
    with (
        started(tmp_path / "new", demo, "chat") as proxy,
        connected(proxy) as client,
        pytest.raises(openai.BadRequestError, match="another installation sealed it"),
    ):
        client.responses.create(model="demo", input=[item, GO_ON])


def test_a_chain_goes_on_from_its_compaction(tmp_path, demo):
    """previous_response_id of a compaction, which is kept like other answers that are translated."""
    with started(tmp_path, demo, "chat") as proxy, connected(proxy) as client:
        first = client.responses.create(model="demo", input=[*SAID, TRIGGER])
        second = client.responses.create(model="demo", input=[GO_ON], previous_response_id=first.id)
        assert second.output_text.endswith("And now?")
        alone = client.responses.create(model="demo", input=[GO_ON])
        assert second.usage.input_tokens > alone.usage.input_tokens + 20


def test_why_and_history_say_who_compacted(tmp_path, demo):
    """That the summary is fairlead's doing stands in both, with its tokens; no word of the conversation does."""
    with started(tmp_path, demo, "messages") as proxy, connected(proxy) as client:
        compact(client, store=False)
        made = "compacted by fairlead: the answer is a summary, sealed"
        assert until(lambda: made in why(proxy)), why(proxy)
    [(notes, output)] = query(tmp_path, "SELECT notes, tokens_out FROM requests")
    assert made in notes
    assert output > 5
    assert b"Count the ships" not in (tmp_path / "home" / "history.db").read_bytes()
