"""A fake of generativelanguage.googleapis.com on loopback that enforces the rules of the API."""

import json
import re
import threading
import time
from collections import Counter

from ..serving import JSON, SSE, Server
from . import directives, errors, models
from .errors import Refused
from .fields import check_body, get
from .replies import Writer, answer_shaped
from .rules import check_request
from .signatures import Signer, check_signatures

KEY = "AIza-judge-0123456789-0123456789-012345"
_PATH = re.compile(r"/(v1|v1beta|v1alpha)/models(?:/([^/]+?)(?::([A-Za-z]+))?)?\Z")


class GeminiUpstream(Server):
    """The fake. plan: (body of a request) -> Reply. keys: those it knows. stall: seconds of silence where a name asks
    for it. refused: the requests that it refused, with the errors; requests: (model, verb, body) of the others."""

    def __init__(self, plan=answer_shaped, *, keys=(KEY,), stall=60.0):
        self.plan, self.keys, self.stall = plan, keys, stall
        self.signer = Signer()
        self.refused, self.requests = [], []
        self._counts, self._lock = Counter(), threading.Lock()
        super().__init__(self._answer)
        self.root = f"{self.url}/v1beta"

    def bodies(self, verb="enerateContent"):
        """The bodies of the requests for text that were answered."""
        return [body for _, found, body in self.requests if found.endswith(verb)]

    def _answer(self, asked, out):
        told = directives.Directives(frozenset())
        try:
            found = _PATH.fullmatch(asked.path)
            if found is None:
                # Paths that it does not have get a page of Google's front end.
                out.whole(404, b"<!DOCTYPE html><title>Error 404 (Not Found)!!1</title>", kind="text/html")
                return
            version, name, verb = found.groups()
            self._authorize(asked)
            if asked.method == "GET":
                out.whole(200, models.page(asked.query) if name is None else self._one(name, version))
                return
            told = self._told(name or "")
            self._serve(asked, out, told, version, name, verb)
        except Refused as refusal:
            self.refused.append((asked, refusal))
            body = [refusal.body] if _is_array(asked) else refusal.body
            out.whole(refusal.code, body, [("server-timing", "gfet4t7; dur=51"), ("vary", "Origin, Referer")])

    def _authorize(self, asked):
        bearer = asked.fields.get("authorization")
        if bearer is not None:
            raise errors.not_a_token()
        key = asked.fields.get("x-goog-api-key") or asked.query.get("key")
        if not key:
            raise errors.no_key()
        if key not in self.keys:
            raise errors.wrong_key()

    def _one(self, name, version):
        return models.entry(models.find_model(name, version))

    def _told(self, name):
        told = directives.parse(name)
        with self._lock:
            self._counts[name] += 1
            late = told.times is not None and self._counts[name] > told.times
        return told.cured() if late else told

    def _serve(self, asked, out, told, version, name, verb):
        serve = _VERBS.get(verb or "")
        if asked.method != "POST" or name is None or serve is None:
            raise errors.no_model(f"{name}:{verb}", version)
        model = models.find_model(name, version)
        if "drop-before-headers" in told.words:
            out.cut()
        if "stall-headers" in told.words:
            out.hang(self.stall)
        if "html-502" in told.words:
            out.whole(502, b"<html><title>502 Bad Gateway</title><body>nginx</body></html>", kind="text/html")
            return
        directives.refuse(told, name)
        try:
            body = asked.json()
        except ValueError:
            raise Refused(400, "Invalid JSON payload received. Unexpected token.\n") from None
        serve(self, asked, out, told, model, name, body)
        self.requests.append((name, verb, body))

    def _generate(self, asked, out, told, model, name, body):
        if "generateContent" not in model.methods:
            raise errors.no_model(name)
        check_body("GenerateContentRequest", body)
        contents = check_request(model, body)
        silenced = check_signatures(self.signer, model, contents)
        reply = directives.altered(self.plan(body), told)
        if silenced:
            reply = reply._replace(text="", calls=(), thoughts="")
        thinking = get(get(body, "generationConfig", {}), "thinkingConfig", {})
        shown = bool(get(thinking, "includeThoughts")) or "think" in told.words
        tokens = max(1, len(asked.data) // 4)
        writer = Writer(reply, model, name, self.signer, shown=shown, tokens=tokens)
        streamed = ":stream" in asked.path and "ignore-stream" not in told.words
        if streamed or "nonstream-sse" in told.words:
            self._stream(out, told, writer, array=_is_array(asked) and "nonstream-sse" not in told.words)
        else:
            self._whole(out, told, writer)

    def _whole(self, out, told, writer):
        value = directives.pruned(writer.whole(), told)
        cut = {"drop-mid-stream", "rst-mid-stream", "stall-mid-stream"} & told.words
        if "badjson" in told.words:
            data = json.dumps(value).encode()
            out.whole(200, data[: len(data) // 2])
            return
        out.whole(200, value, [("x-gemini-service-tier", "standard")], short=bool(cut))
        if cut:
            if "stall-mid-stream" in cut:
                out.hang(self.stall)
            out.cut(reset="rst-mid-stream" in cut)

    def _stream(self, out, told, writer, *, array):
        end = b"\n" if "lf" in told.words else b"\r\n"
        out.one_byte = "onebyte" in told.words
        chunks = directives.pruned(writer.chunks(), told)
        out.begin(kind=JSON if array else SSE, fields=[("x-gemini-service-tier", "standard")])
        frames = [_frame(value, end, first=not index, array=array) for index, value in enumerate(chunks)]
        error = _frame(errors.overloaded().body, end, first=False, array=array)
        if "sse-error-first" in told.words:
            frames = [_frame(errors.overloaded().body, end, first=True, array=array)]
        middle = max(1, len(frames) // 2)
        if "oneblob" in told.words:
            frames, middle = [b"".join(frames)], 1
        for index, frame in enumerate(frames):
            if index == middle:
                if self._fail(out, told, error):
                    out.end()
                    return
                if "ping-gap-1" in told.words:
                    time.sleep(1)
            if "ping" in told.words:
                out.send(end * 2)
            out.send(frame)
            if "slow" in told.words:
                time.sleep(0.1)
        if array:
            out.send(b"]")
        out.end()

    def _fail(self, out, told, error):
        """A fault in the middle of a stream; True when the body ends with it."""
        if "stall-mid-stream" in told.words:
            out.hang(self.stall)
        if {"drop-mid-stream", "rst-mid-stream"} & told.words:
            out.cut(reset="rst-mid-stream" in told.words)
        if "sse-raw-error" in told.words:
            out.send(json.dumps(errors.overloaded().body, indent=2).encode() + b"\r\n")
            return True
        if "sse-error" in told.words:
            out.send(error)
            return True
        return False

    def _count(self, asked, out, told, model, name, body):
        check_body("CountTokensRequest", body)
        inner = get(body, "generateContentRequest")
        if (inner is None) == (get(body, "contents") is None):
            raise Refused(400, "Exactly one of contents and generate_content_request must be set.")
        if inner is not None and get(inner, "model") != f"models/{name}":
            raise Refused(400, "Request model in countTokens must match the model in generateContentRequest.")
        check_request(model, inner or {"contents": body["contents"]})
        count = max(1, len(asked.data) // 4)
        details = [{"modality": "TEXT", "tokenCount": count}]
        out.whole(200, directives.pruned({"totalTokens": count, "promptTokensDetails": details}, told))

    def _embed(self, asked, out, told, model, name, body):
        check_body("EmbedContentRequest", body)
        self._check_embeds(model, name)
        out.whole(200, {"embedding": _vector(body)})

    def _embed_all(self, asked, out, told, model, name, body):
        check_body("BatchEmbedContentsRequest", body)
        self._check_embeds(model, name)
        for index, one in enumerate(body["requests"]):
            if get(one, "model") != f"models/{name}":
                raise Refused(
                    400, f"* BatchEmbedContentsRequest.requests[{index}].model: the model must match the parent's.\n"
                )
        out.whole(200, {"embeddings": [_vector(one) for one in body["requests"]]})

    @staticmethod
    def _check_embeds(model, name):
        if "embedContent" not in model.methods:
            raise errors.no_model(name)


_VERBS = {
    "generateContent": GeminiUpstream._generate,
    "streamGenerateContent": GeminiUpstream._generate,
    "countTokens": GeminiUpstream._count,
    "embedContent": GeminiUpstream._embed,
    "batchEmbedContents": GeminiUpstream._embed_all,
}


def _is_array(asked):
    """True for a stream that is asked for as one JSON array."""
    return ":streamGenerateContent" in asked.path and asked.query.get("alt") != "sse"


def _frame(value, end, *, first, array):
    data = json.dumps(value, ensure_ascii=False).encode()
    if array:
        return (b"[" if first else b",\r\n") + data
    return b"data: " + data + end * 2


def _vector(body):
    size = int(get(body, "outputDimensionality", 8))
    return {"values": [round((index + 1) / 10, 3) for index in range(size)]}
