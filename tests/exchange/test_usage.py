"""Usage of answers that are no plain success: in the background, fetched later, billed though they failed."""

import json

import pytest

from router.errors import Halted
from router.policy.budget.guard import read_rules
from router.settings import Settings
from router.wire.raw import sse

from .playbook import playing
from .upstreams import Break, Silence, answer, says, streams
from .worlds import CHAT, MESSAGES, RESPONSES, Rounds, box, chat, good, in_order, message, refuses, response

USAGE = {"input_tokens": 30, "output_tokens": 400, "total_tokens": 430}


def background(state, **more):
    about = {"id": "resp_1", "object": "response", "background": True, "status": state, "model": "m-2026", "output": []}
    return {**about, **more}


@pytest.fixture
def native(made):
    """A backend that speaks all three protocols."""
    return made(box("box", "a0", protocols=("chat", "messages", "responses")), settings=in_order())


def fetch(runtime, name="resp_1", **more):
    script = slowly(says(200, background("completed", **{"id": name, "usage": USAGE, **more})))
    return playing(runtime, f"{RESPONSES}/{name}", b"", script, method="GET").record


def used(record):
    return record.usage.input, record.usage.output


def test_a_background_answer_counts_when_it_is_fetched(native):
    """Nothing is guessed for the first answer; the first look that finds it complete counts, and no later one."""
    body = response(background=True, store=True)
    begun = playing(native, RESPONSES, body, says(200, background("queued", usage=None))).record
    assert (used(begun), begun.estimated) == ((0, 0), False)
    assert "it is counted when it is fetched" in " ".join(begun.notes)
    assert used(fetch(native, status="in_progress", usage=None)) == (None, None)
    found = fetch(native)
    assert (used(found), found.sent_model) == ((30, 400), "m-2026")
    assert used(fetch(native)) == (None, None)
    assert used(fetch(native, "resp_2")) == (30, 400)


def test_a_stored_answer_that_is_fetched_was_counted(native):
    """One that was not made in the background counted when it was made."""
    assert used(fetch(native, background=False)) == (None, None)


def test_one_that_was_whole_at_once_is_not_counted_again(native):
    """Some servers ignore the wish."""
    body = response(background=True, store=True)
    assert used(playing(native, RESPONSES, body, says(200, background("completed", usage=USAGE))).record) == (30, 400)
    assert used(fetch(native)) == (None, None)


def stream_of(**about):
    begin = {"type": "response.created", "response": background("in_progress", usage=None, **about)}
    item = {"type": "response.output_item.added", "output_index": 0, "item": {"type": "message", "id": "m"}}
    end = {"type": "response.completed", "response": background("completed", usage=USAGE, **about)}
    return [sse.frame(json.dumps(one).encode(), one["type"]) for one in (begin, item, end)]


def test_streams_of_a_background_answer_count_once(native):
    """Followed to its end it has counted; looked at by a stream after that, or before, it counts once."""
    body = response(background=True, store=True, stream=True)
    assert used(playing(native, RESPONSES, body, streams(*stream_of())).record) == (30, 400)

    def look(name, events):
        return playing(native, f"{RESPONSES}/{name}?stream=true", b"", streams(*events), method="GET").record

    assert used(look("resp_1", stream_of())) == (None, None)
    assert used(fetch(native)) == (None, None)
    other = look("resp_2", stream_of(id="resp_2"))
    assert (used(other), other.sent_model) == ((30, 400), "m-2026")
    assert used(look("resp_3", stream_of(id="resp_3", background=False))) == (None, None)


def test_a_stream_that_is_left_counts_when_it_is_fetched(native):
    """What its upstream made after the client had left is in the answer."""
    body = response(background=True, store=True, stream=True)
    cut = playing(native, RESPONSES, body, streams(*stream_of()[:2], Break())).record
    assert cut.estimated
    assert used(fetch(native)) == (30, 400)


def with_dollars(runtime, **settings):
    """Have a runtime guarded by a budget in US dollars."""
    guard = runtime.guard
    guard.rules = read_rules(Settings(guard_day_usd=5.0, **settings))
    guard._sync = Rounds()
    return guard


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        (RESPONSES, response(background=True, store=True), "in the background (background = true)"),
        (RESPONSES, response(tools=[{"type": "image_generation"}]), "the tool image_generation"),
        (MESSAGES, message(tools=[{"type": "code_execution_20250825", "name": "x"}]), "the tool code_execution"),
        (CHAT, chat(web_search_options={}), "web searches in Chat"),
        ("/v1/images/generations", {"model": "box:m"}, "/v1/images/generations"),
        ("/v1/batches", {"model": "box:m"}, "/v1/batches"),
    ],
)
def test_what_cannot_be_counted_is_refused(native, path, body, named):
    """guard.unpriced = refuse says what it is, and which setting allows it; nothing goes upstream."""
    with_dollars(native, guard_unpriced="refuse")
    played = playing(native, path, body)
    assert (played.asked, played.status in (402, 429)) == ([], True)
    assert isinstance(played.error, Halted)
    assert named in played.error.message
    assert "guard.unpriced" in played.error.message


def test_usage_in_errors(made):
    """What an error tells is billed, passed through or translated, as a status or inside a 200."""
    used_up = {"prompt_tokens": 40, "completion_tokens": 8}
    failed = {"error": {"message": "no", "code": 500}, "usage": used_up}
    for path, body in ((CHAT, chat()), (MESSAGES, message())):
        runtime = made(box("box", "a0"), settings=in_order())
        for status in (200, 400, 500):
            record = playing(runtime, path, body, says(status, failed)).record
            assert used(record) == (40, 8), (path, status)
            assert not record.estimated


def test_usage_in_the_error_of_a_call_in_a_form_of_its_own(native):
    """A model may have begun to write there too."""
    failed = {"error": {"message": "no"}, "usage": {"prompt_tokens": 40, "completion_tokens": 8}}
    body = {"model": "box:m", "prompt": "x"}
    assert used(playing(native, "/v1/fim/completions", body, says(400, failed)).record) == (40, 8)


def test_an_attempt_that_is_lost_leaves_no_trace_in_the_next(made):
    """The record tells of the answer that the client got."""
    runtime = made(box("box", "a0", "a1"), settings=in_order())
    used_up = {"prompt_tokens": 40, "completion_tokens": 8}
    lost = says(500, {"error": {"message": "no"}, "usage": used_up})
    assert used(playing(runtime, CHAT, chat(), lost, good()).record) == (3, 1)
    assert used(playing(runtime, CHAT, chat(), lost, refuses(400)).record) == (None, None)


def test_an_attempt_is_counted_whose_failure_is_not_told(made):
    """The client is told of the limit of the first account; the second, asked last, may have billed what it began."""
    runtime = made(box("box", "a0", "a1"), settings=in_order())
    counted = []
    runtime.guard.rules = read_rules(Settings(guard_day_usd=5.0))

    async def admit(*arguments):
        return 70

    runtime.guard.admit, runtime.guard.finished = admit, counted.append
    cut = answer(200, (b"content-type", b"application/json"), body=b"{")
    cut[0] = cut[0].replace(b"length: 1", b"length: 99")
    played = playing(runtime, CHAT, chat(max_tokens=70), refuses(429, (b"retry-after", b"999")), *[[*cut, Break()]] * 9)
    last = played.record.tries[-1]
    assert (played.status, last.account, last.status, last.done) == (429, "a1", 0, "given up")
    sent = [one for one in played.record.tries if one.account == "a1"]
    assert [(one.error, one.tokens_out) for one in counted if one.account == "a1"] == [("lost", 70)] * len(sent)


IMAGES = {"created": 1, "data": [{"b64_json": "aaaa"}], "usage": {"input_tokens": 50, "output_tokens": 4000}}


@pytest.mark.parametrize("size", [4, 3 << 20])
def test_pictures_and_sound_that_tell_their_usage(native, size):
    """It is counted as that of text, however large the answer is; a call that tells none counts nothing."""
    told = {**IMAGES, "data": [{"b64_json": "a" * size}]}
    record = playing(native, "/v1/images/generations", {"model": "box:m"}, says(200, told)).record
    assert used(record) == (50, 4000)
    told = {"text": "hi", "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
    assert used(playing(native, "/v1/ocr", {"model": "box:m"}, says(200, told)).record) == (3, 2)
    assert used(playing(native, "/v1/moderations", {"model": "box:m"}, says(200, {"id": "x"})).record) == (None, None)


def test_a_compaction_counts(native):
    """It is written by a model."""
    told = {"object": "response.compaction", "output": [], "usage": USAGE}
    record = playing(native, f"{RESPONSES}/compact", {"model": "box:m", "input": "hi"}, says(200, told)).record
    assert used(record) == (30, 400)
    cancelled = background("cancelled", usage=USAGE)
    gone = playing(native, f"{RESPONSES}/resp_1/cancel", b"", says(200, cancelled)).record
    assert used(gone) == (30, 400)
    assert used(fetch(native)) == (None, None)


BIG = "a" * (3 << 20)


def slowly(script):
    """The same answer in as many reads as a socket needs; one that is large is then passed on as it comes."""
    data = b"".join(script)
    pieces = [data[at : at + 65_536] for at in range(0, len(data), 65_536)]
    return [part for piece in pieces for part in (piece, Silence(0.001))]


@pytest.mark.parametrize("filler", ["a", BIG], ids=["small", "large"])
@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}, (3, 2)),
        ({"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}, (3, 2)),
        ({"total_tokens": 9}, (9, 0)),
    ],
    ids=["chat", "responses", "total"],
)
def test_usage_is_read_under_any_name_and_at_any_size(native, usage, counts, filler):
    """Paths of no protocol tell it in the words of either of OpenAI's, or as a sum: a reranker writes nothing."""
    told = {"pages": [filler], "usage": usage}
    assert used(playing(native, "/v1/ocr", {"model": "box:m"}, slowly(says(200, told))).record) == counts


@pytest.mark.parametrize("path", [CHAT, "/v1/ocr"])
def test_usage_that_stands_before_a_large_content_is_read(native, path):
    """The order of members is the server's; the size of a picture is no estimate of what was written."""
    content = {"index": 0, "message": {"role": "assistant", "content": BIG}, "finish_reason": "stop"}
    told = {"id": "c", "usage": {"prompt_tokens": 3, "completion_tokens": 2}, "choices": [content]}
    record = playing(native, path, chat() if path == CHAT else {"model": "box:m"}, slowly(says(200, told))).record
    assert (used(record), record.estimated) == ((3, 2), False)


def test_the_sum_of_an_embedding_is_its_input(native):
    """Some providers tell the sum alone; it is no estimate."""
    told = {"object": "list", "data": [], "usage": {"total_tokens": 9}}
    record = playing(native, "/v1/embeddings", {"model": "box:m", "input": "hi"}, says(200, told)).record
    assert (used(record), record.estimated) == ((9, 0), False)


def test_a_charge_alone_counts(made):
    """A reranker or a picture may tell what it was charged and no tokens; beside tokens of Responses both count."""
    runtime = made(box("box", "a0", vendor="openrouter"), settings=in_order())
    for more, counts in (({}, (None, None)), ({"input_tokens": 3, "output_tokens": 2}, (3, 2))):
        told = {"results": [], "usage": {"cost": 0.25, **more}}
        record = playing(runtime, "/v1/rerank", {"model": "box:m"}, says(200, told)).record
        assert (used(record), record.usage.charge) == (counts, 250_000_000)


def test_a_usage_of_nothing_tells_nothing(native):
    """A batch that was only accepted has counts of zero; what it will cost is not told."""
    told = {"id": "batch_1", "usage": {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}}
    assert used(playing(native, "/v1/batches", {"model": "box:m"}, says(200, told)).record) == (None, None)


def test_the_model_of_an_answer_is_used_where_the_request_names_none(native):
    """A run of an assistant is priced by the model that the answer names."""
    told = {"id": "run_1", "model": "m-2026", "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
    record = playing(native, "/v1/threads/thread_1/runs", {"assistant_id": "a"}, says(200, told)).record
    assert (used(record), record.sent_model) == ((3, 2), "m-2026")


def test_streams_that_retell_an_answer_are_not_counted(native):
    """What a GET streams was counted when it was made."""
    event = b'data: {"id": "run_1", "usage": {"prompt_tokens": 3, "completion_tokens": 2}}\n\n'
    path = "/v1/threads/thread_1/runs/run_1/events"
    assert used(playing(native, path, b"", streams(event), method="GET").record) == (None, None)
    made_now = playing(native, "/v1/threads/thread_1/runs", {"model": "box:m"}, streams(event)).record
    assert used(made_now) == (3, 2)


def test_a_large_answer_of_the_background_counts_once(native):
    """A picture in it makes it too large to be read whole; what it used is counted all the same."""
    picture = {"type": "image_generation_call", "result": BIG}
    assert used(fetch(native, output=[picture], status="in_progress", usage=None)) == (None, None)
    found = fetch(native, output=[picture])
    assert (used(found), found.sent_model) == ((30, 400), "m-2026")
    assert used(fetch(native, output=[picture])) == (None, None)
    assert used(fetch(native, "resp_3", output=[picture], background=False)) == (None, None)
