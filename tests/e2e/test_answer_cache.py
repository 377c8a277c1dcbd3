"""The cache of answers before real upstreams and the vendors' SDKs: who is given an answer again, and who is not."""

import base64
import json
import threading

import anthropic
import openai
import pytest

from router.net.server.cancel_reason import CancelReason

from ..commands import run_in_home
from .caching import HI, ON, PRICES, TURNS, body, history, operator, run, said, sample, state
from .granted import add, configured
from .processes import Proxy, backend, until
from .samples import CHAT, EMBEDDINGS, MESSAGES, RESPONSES
from .upstream import begun, close, plain, stream, wait_for
from .wire import Client, ask, request

OPTIONS = {"api_key": "fairlead", "max_retries": 0, "timeout": 10}
CANARY = "a canary that sits in a prompt"


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("protocol", [MESSAGES, CHAT, RESPONSES], ids=lambda one: one.name)
def test_every_byte_again(cached, up, protocol, streams):
    """The second request gets the bytes of the first one's answer, in the form that it asked for, and is told so; the
    other form is another answer."""
    proxy = cached()
    up.default = [sample(protocol, streams=streams)]
    first, second = (ask(proxy.port, protocol.path, body(protocol, streams=streams)) for _ in range(2))
    assert (first.status, state(first), second.status, state(second)) == (200, "miss", 200, "hit")
    assert second.body == first.body
    assert second.whole
    assert second.field(b"content-type") == first.field(b"content-type")
    assert second.field(b"x-fairlead-backend") == b"box"
    assert second.field(b"x-fairlead-attempts") == b"0"
    assert second.field(b"x-fairlead-request-id") != first.field(b"x-fairlead-request-id")
    # The upstream's Chat stream does not tell what it used.
    assert ("; age=0; saved-usd=0.00" in said(second)) is not (protocol is CHAT and streams)
    assert len(up.seen) == 1
    up.default = [sample(protocol, streams=not streams)]
    assert state(ask(proxy.port, protocol.path, body(protocol, streams=not streams))) == "miss"


def test_the_sdks(cached, up):
    """Each SDK reads an answer from the cache as it reads any other, whole and streamed."""
    proxy = cached()
    up.script(plain(MESSAGES.whole))
    up.script(stream(MESSAGES.events))
    up.script(plain(CHAT.whole))
    up.script(stream(CHAT.events))
    up.script(plain(RESPONSES.whole))
    up.script(stream(RESPONSES.events))
    with (
        anthropic.Anthropic(base_url=f"http://localhost:{proxy.port}", **OPTIONS) as claude,
        openai.OpenAI(base_url=f"http://localhost:{proxy.port}/v1", **OPTIONS) as gpt,
    ):
        turn = {"model": "model-a"}
        talk, chat, input_ = ({**turn, **TURNS[name]} for name in ("messages", "chat", "responses"))
        for one in (talk, chat, input_):
            # Not each of the SDKs has a parameter for it.
            one["extra_body"] = {"temperature": 0}
        for round_ in range(2):
            assert claude.messages.create(**talk).content[0].text == "Hi"
            with claude.messages.stream(**talk) as streamed:
                assert streamed.get_final_message().content[0].text == "H\u2028"
            assert gpt.chat.completions.create(**chat).choices[0].message.content == "Hi"
            chunks = gpt.chat.completions.create(**chat, stream=True)
            assert "".join(one.choices[0].delta.content or "" for one in chunks) == "H\u2028i"
            assert gpt.responses.create(**input_).status == "completed"
            kinds = [event.type for event in gpt.responses.create(**input_, stream=True)]
            assert kinds[-1] == "response.completed"
            assert len(up.seen) == 6, round_


def test_embeddings_and_counts(cached, up):
    """Both are kept whatever the temperature; a count costs nothing, so that nothing is saved."""
    proxy = cached()
    up.script(plain(EMBEDDINGS.whole))
    up.script(plain(b'{"input_tokens": 7}'))
    texts = json.dumps({"model": "model-a", "input": ["a"]}).encode()
    count = json.dumps({"model": "model-a", "messages": HI}).encode()
    for path, asked in (("/v1/embeddings", texts), ("/v1/messages/count_tokens", count)):
        found = [ask(proxy.port, path, asked) for _ in range(2)]
        assert [state(one) for one in found] == ["miss", "hit"]
        assert found[0].body == found[1].body
    assert said(found[1]) == "hit; age=0"
    assert len(up.seen) == 2


def test_a_translated_answer(cached, up):
    """It is kept as the caller got it, and says when it is given again that it was translated."""
    proxy = cached(backends=[backend("box", up.root, protocols=["chat"])])
    up.default = [plain(CHAT.whole.replace(b',"x_future":1.0', b""))]
    asked = body(MESSAGES, metadata={"user_id": "me"})
    first, second = (ask(proxy.port, MESSAGES.path, asked) for _ in range(2))
    assert (state(first), state(second)) == ("miss", "hit")
    assert first.body == second.body
    assert first.json()["content"][0]["text"] == "Hi"
    assert second.field(b"x-fairlead-translation") == b"messages->chat"
    assert second.field(b"x-fairlead-loss") is None
    # What would be lost again each time, without being said, is not kept.
    up.default = [plain(CHAT.whole)]
    assert [state(ask(proxy.port, MESSAGES.path, body(MESSAGES, top_k=4))) for _ in range(2)] == ["miss", "miss"]


def test_off_unless_asked_for(cached, up, tmp_path):
    """Without the setting nothing is kept, no file is made, and no header speaks of it."""
    proxy = cached(PRICES)
    up.default = [plain(CHAT.whole)]
    for _ in range(2):
        assert said(ask(proxy.port, CHAT.path, body(CHAT))) == ""
    assert len(up.seen) == 2
    assert not [*(tmp_path / "home").glob("answer_cache*")]


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"temperature": 1}, "temperature is not 0"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "declares tools"),
        ({"store": True}, "stored"),
    ],
)
def test_why_not(cached, up, fields, word):
    """A request whose answer is not kept goes to its backend each time; its record and `explain` say why."""
    proxy = cached()
    up.default = [plain(CHAT.whole)]
    asked = body(CHAT, **fields)
    assert [said(ask(proxy.port, CHAT.path, asked)) for _ in range(2)] == ["", ""]
    assert len(up.seen) == 2
    assert word in str(history(proxy)[-1]["notes"])
    question = {"body": base64.b64encode(asked).decode(), "protocol": "chat"}
    assert word in proxy.operate("/admin/explain", question).json()["cache"]


def test_explained(cached, up):
    """`explain` says by which rule or model an answer is kept, and for how long."""
    proxy = cached('[[routes]]\nname = "evals"\nwhen = { model = "model-*" }\ncache = { ttl = "2h", tools = true }\n')
    asked = {"model": "model-a", "protocol": "chat"}
    assert proxy.operate("/admin/explain", asked).json()["cache"].startswith('kept for 2 h (rule "evals")')
    up.default = [plain(CHAT.whole)]
    found = [ask(proxy.port, CHAT.path, body(CHAT)) for _ in range(2)]
    assert [state(one) for one in found] == ["miss", "hit"]
    assert found[1].field(b"x-fairlead-rule") == b"evals"


def test_what_is_recorded(cached, up):
    """The row of a hit: no tokens, no cost, its age and what it saved; `why`, `usage` and the metrics say so too."""
    proxy = cached()
    up.default = [plain(CHAT.whole)]
    for _ in range(3):
        ask(proxy.port, CHAT.path, body(CHAT))
    first, *hits = history(proxy)
    assert (first["answer_cache"], first["answer_age_s"], first["saved_usd"]) == ("miss", None, None)
    assert first["cost_usd"] == pytest.approx(0.004)
    for one in hits:
        assert (one["answer_cache"], one["answer_age_s"], one["saved_usd"]) == ("hit", 0, first["cost_usd"])
        assert (one["tokens_in"], one["tokens_out"], one["cost_usd"], one["attempts"]) == (None, None, 0, 0)
        assert (one["backend"], one["status"]) == ("box", 200)
    assert "from the cache; it cost $0.004 then, nothing now" in run(proxy, "why", "-")
    assert "2 of 3 from the cache, which saved $0.008" in run(proxy, "usage")
    assert "hit" in run(proxy, "usage", "--by", "answers")
    assert json.loads(run(proxy, "usage", "--json"))["prices"] == ["config.toml"]
    metrics = ask(proxy.port, "/metrics", None, operator(proxy)).body
    assert b'fairlead_answer_cache_requests_total{result="hit"} 2.0' in metrics
    assert b"fairlead_answer_cache_saved_usd_total 0.008" in metrics


def test_two_keys_never_share(cached, up, tmp_path):
    """An answer is for the client key that it came for; keys that it made for processes share it, others do not."""
    first, second = add(tmp_path, "first"), add(tmp_path, "second")
    proxy = cached()
    up.default = [plain(CHAT.whole)]
    found = [state(proxy.ask(key, body=body(CHAT))) for key in (first, second, None, first, second, None)]
    assert found == ["miss", "miss", "miss", "hit", "hit", "hit"]
    assert len(up.seen) == 3


def test_a_key_has_its_limits(cached, up, tmp_path):
    """A hit counts as a request of its key, and a key that may not use the model gets no answer from the cache."""
    limited, barred = add(tmp_path, "limited"), add(tmp_path, "barred")
    proxy = cached(ON + '[keys.limited]\nrpm = 2\n[keys.barred]\nmodels = ["other-*"]\n', queue_timeout="1s")
    up.default = [plain(CHAT.whole)]
    assert [proxy.ask(limited, body=body(CHAT)).status for _ in range(3)] == [200, 200, 429]
    assert proxy.ask(barred, body=body(CHAT)).status in (403, 404)


def test_a_callers_own_login(cached, up):
    """Where the caller's own login goes to the backend, its answers are for that caller alone, and are not kept."""
    proxy = cached(backends=[backend("box", up.root, auth="client")])
    up.default = [plain(CHAT.whole)]
    login = (b"authorization", b"Bearer sk-mine-0123456789")
    assert [said(ask(proxy.port, CHAT.path, body(CHAT), login)) for _ in range(2)] == ["", ""]
    assert len(up.seen) == 2


def test_after_a_restart(cached, up):
    """What was kept is given by the next process; a backend at another URL has answers of its own."""
    proxy = cached()
    up.default = [plain(CHAT.whole)]
    assert state(ask(proxy.port, CHAT.path, body(CHAT))) == "miss"
    proxy.__exit__()
    proxy = cached()
    assert state(ask(proxy.port, CHAT.path, body(CHAT))) == "hit"
    proxy.__exit__()
    proxy = cached(backends=[backend("box", up.root.replace("127.0.0.1", "localhost"))])
    assert state(ask(proxy.port, CHAT.path, body(CHAT))) == "miss"


def test_in_another_process(tmp_path):
    """A real proxy is started anew, with other hashes of its own, and gives what the one before it kept."""
    configured(tmp_path, '[models.demo.cache]\nttl = "1h"\n')
    found = []
    for _ in range(3):
        with Proxy(tmp_path) as proxy:
            found += [state(ask(proxy.port, one.path, body(one, model="demo"))) for one in (CHAT, MESSAGES, RESPONSES)]
    assert found == ["miss"] * 3 + ["hit"] * 6


def test_a_new_answer_on_demand(cached, up):
    """cache-control: no-cache asks the backend and keeps what it says; no-store keeps nothing."""
    proxy = cached()
    up.default = [plain(CHAT.whole)]
    ask(proxy.port, CHAT.path, body(CHAT))
    assert state(ask(proxy.port, CHAT.path, body(CHAT), (b"cache-control", b"max-age=0, no-cache"))) == "miss"
    assert state(ask(proxy.port, CHAT.path, body(CHAT))) == "hit"
    assert said(ask(proxy.port, CHAT.path, body(CHAT), (b"cache-control", b"no-store"))) == ""
    assert len(up.seen) == 3


@pytest.mark.parametrize(
    "broken",
    [
        plain(CHAT.whole.replace(b'"stop"', b'"length"')),
        plain(b'{"error":{"message":"no","type":"x"}}'),
        plain(b'{"error":{"message":"no"}}', b"500 Internal Server Error"),
        plain(b"<html>a login</html>", kind=b"text/html"),
    ],
    ids=["length", "error in a 200", "500", "a login page"],
)
def test_what_is_no_whole_answer(cached, up, broken):
    """Only an answer that came to its own end is kept: the next request asks again."""
    proxy = cached()
    up.default = [broken]
    ask(proxy.port, CHAT.path, body(CHAT))
    up.default = [plain(CHAT.whole)]
    assert [state(ask(proxy.port, CHAT.path, body(CHAT))) for _ in range(2)] == ["miss", "hit"]


def test_a_cut_stream(cached, up):
    """A stream that broke off is not kept."""
    proxy = cached()
    up.default = [begun(CHAT), close]
    assert not ask(proxy.port, CHAT.path, body(CHAT, streams=True)).whole
    up.default = [stream(CHAT.events)]
    assert state(ask(proxy.port, CHAT.path, body(CHAT, streams=True))) == "miss"


def test_a_client_that_hangs_up_at_once(cached, up):
    """Its answer is kept, and recorded as the success that it was, though it left before that was begun."""
    proxy = cached()
    up.default = [plain(CHAT.whole)]
    ask(proxy.port, CHAT.path, body(CHAT, seed=1))
    running, gate, holders = proxy.serving.runtime.running, threading.Event(), [object() for _ in range(4)]
    assert until(lambda: not running)
    limiter = proxy.serving.runtime.answer_cache.limiter
    up.script(wait_for(gate), plain(CHAT.whole))
    with Client(proxy.port) as leaving:
        leaving.send(request(CHAT.path, body(CHAT, seed=2)))
        up.wait(lambda one: len(one.seen) == 2)
        proxy.call(lambda: [limiter.acquire_on_behalf_of_nowait(holder) for holder in holders])
        gate.set()
        assert leaving.answer().status == 200
        [exchange] = proxy.call(lambda: list(running))
    assert until(lambda: exchange._arrival.connection.cancel_reason is CancelReason.CLIENT_GONE)
    proxy.call(lambda: [limiter.release_on_behalf_of(holder) for holder in holders])
    assert state(ask(proxy.port, CHAT.path, body(CHAT, seed=2))) == "hit"
    assert [(one["error"], one["estimated"]) for one in history(proxy)] == [("", False)] * 3


def test_a_fallback_is_not_kept(cached, up):
    """What another model answered in place of the one that was asked for is nobody's answer later."""
    proxy = cached(ON + '[fallback]\n"model-a" = ["other:model-b"]\n')
    up.script(plain(b'{"error":{"message":"busy"}}', b"503 Service Unavailable"))
    up.default = [plain(CHAT.whole)]
    answer = ask(proxy.port, CHAT.path, body(CHAT))
    assert (answer.status, answer.field(b"x-fairlead-fallback")) == (200, b"other:model-b")
    assert state(ask(proxy.port, CHAT.path, body(CHAT))) == "miss"


def test_answers_in_responses_repeat_their_own_request(cached, up):
    """The metadata in an answer that is given again is that of the request, whoever asked first."""
    proxy = cached()
    whole = RESPONSES.whole.replace(b'"error":null', b'"error":null,"metadata":{"run":"1"}')
    up.default = [plain(whole)]
    found = [ask(proxy.port, RESPONSES.path, body(RESPONSES, metadata={"run": run})) for run in ("1", "1", "2")]
    assert [state(one) for one in found] == ["miss", "hit", "hit"]
    assert [one.json()["metadata"]["run"] for one in found] == ["1", "1", "2"]
    assert found[1].body == whole


def test_a_halt_stops_hits_too(cached, up):
    """Once the budget is used up, no request is answered, though an answer from the cache costs nothing; after
    `resume` it is given again."""
    proxy = cached("guard.day_usd = 0.001\n" + ON + PRICES)
    up.default = [plain(CHAT.whole)]
    assert [state(ask(proxy.port, CHAT.path, body(CHAT))) for _ in range(2)] == ["miss", "hit"]
    # The halt begins with the first request that would cost something.
    assert until(lambda: ask(proxy.port, CHAT.path, body(CHAT, temperature=1)).status == 402)
    assert ask(proxy.port, CHAT.path, body(CHAT)).status == 402
    proxy.operate("/admin/resume", {})
    assert state(ask(proxy.port, CHAT.path, body(CHAT))) == "hit"
    assert len(up.seen) == 1


def test_a_hit_is_no_spend(cached, up):
    """Under a budget that one answer nearly uses up, any number of hits pass, also where what has no price is
    refused."""
    proxy = cached('guard.day_usd = 0.007\nguard.unpriced = "refuse"\n' + ON + PRICES)
    up.default = [plain(CHAT.whole)]
    for _ in range(5):
        assert ask(proxy.port, CHAT.path, body(CHAT, max_tokens=1)).status == 200
    [spent] = [one["spent"] for one in proxy.operate("/status").json()["guard"]["budgets"]]
    assert spent == pytest.approx(0.004)
    assert proxy.operate("/status").json()["guard"]["not_counted"] == []


def test_the_prompt_is_nowhere(cached, up, tmp_path):
    """No file of the home holds a prompt, and none but the cache's own an answer, which is in that one compressed."""
    proxy = cached()
    answer = CHAT.whole.replace(b"H\\u0069", CANARY.upper().encode())
    up.default = [plain(answer)]
    asked = body(CHAT, messages=[{"role": "user", "content": CANARY}])
    assert [state(ask(proxy.port, CHAT.path, asked)) for _ in range(2)] == ["miss", "hit"]
    proxy.__exit__()
    files = {path.name: path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file()}
    assert "answer_cache.db" in files
    assert [name for name, data in files.items() if CANARY.encode() in data.lower()] in ([], ["answer_cache.db"])
    assert [name for name, data in files.items() if CANARY.encode() in data] == []


def test_a_bad_file_fails_no_request(cached, up, tmp_path):
    """With a file that is none of the cache's every request is answered by its backend; status and doctor say why."""
    path = tmp_path / "home" / "answer_cache.db"
    (tmp_path / "home").mkdir(mode=0o700, exist_ok=True)
    path.write_bytes(b"not a database" * 100)
    path.chmod(0o600)
    proxy = cached()
    up.default = [plain(CHAT.whole)]
    assert [state(ask(proxy.port, CHAT.path, body(CHAT))) for _ in range(2)] == ["miss", "miss"]
    assert "is damaged" in proxy.operate("/status").json()["answer_cache"]["problem"]
    assert run_in_home(tmp_path / "home", "cache", "clear")[0] == 0
    assert path.with_name("answer_cache.db.aside-1").exists()


def test_cleared_under_a_running_proxy(cached, up, tmp_path):
    """`cache clear` and `history clear` take effect at once."""
    proxy = cached()
    up.default = [plain(CHAT.whole)]
    home = tmp_path / "home"
    ask(proxy.port, CHAT.path, body(CHAT))
    for command in (("cache", "clear"), ("history", "clear", "--yes")):
        assert state(ask(proxy.port, CHAT.path, body(CHAT))) == "hit"
        assert run_in_home(home, *command)[0] == 0
        assert state(ask(proxy.port, CHAT.path, body(CHAT))) == "miss"


def test_switched_by_a_reload(cached, up, tmp_path):
    """A running proxy takes the setting up, and says where answers lie from then on."""
    proxy = cached(PRICES)
    up.default = [plain(CHAT.whole)]
    assert said(ask(proxy.port, CHAT.path, body(CHAT))) == ""
    assert run_in_home(tmp_path / "home", "config", "set", "models.model-a.cache.ttl", "10m")[0] == 0
    assert until(lambda: proxy.operate("/status").json()["answer_cache"]["on"])
    assert [state(ask(proxy.port, CHAT.path, body(CHAT))) for _ in range(2)] == ["miss", "hit"]
