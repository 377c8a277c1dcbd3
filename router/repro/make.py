"""Makes a repro of a capture: what fairlead did, and the form of what it did it to, without whose it was and what it
said."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import msgspec

from router.repro.decision import shape_edits, shape_rule
from router.repro.json_text import fill_json_text
from router.repro.scan import find_private, find_secrets
from router.repro.shape import Shaper, TooDeep
from router.repro.streams import shape_stream
from router.repro.vocabulary import PROTOCOL_WORDS
from router.store.captures.format import (
    Body,
    Capture,
    ConfiguredEdits,
    Decision,
    ExchangeLine,
    ReproLine,
    RuleExcerpt,
    encode,
)

#: What becomes of bodies: nothing stays; their form; all but secrets.
Bodies = Literal["none", "shape", "full"]
# Kinds of content that programs of many users send; any other may be named by one of them.
_KINDS = frozenset(
    (
        *("application/json", "application/problem+json", "application/x-ndjson", "application/octet-stream"),
        *("application/xml", "application/pdf", "application/x-www-form-urlencoded", "multipart/form-data"),
        *("text/event-stream", "text/plain", "text/html", "text/xml", "text/*", "*/*"),
        *("charset=utf-8", "charset=utf8", "charset=us-ascii", "charset=iso-8859-1", "charset=windows-1252"),
    )
)
_KIND_HEADERS = ("content-type", "accept")
# Header fields whose values tell nothing of a user, and the form of the values that stay.
_HEADERS = {
    "content-encoding": re.compile(r"[a-z, -]{1,40}"),
    "anthropic-version": re.compile(r"[0-9-]{1,20}"),
    "anthropic-beta": re.compile(r"[a-z0-9, -]{1,400}"),
    "retry-after": re.compile(r"[0-9.]{1,12}"),
    "retry-after-ms": re.compile(r"[0-9.]{1,12}"),
    "x-should-retry": re.compile(r"true|false"),
    "x-fairlead-translation": re.compile(r"[a-z]{1,20}->[a-z]{1,20}"),
    "x-fairlead-attempts": re.compile(r"[0-9]{1,3}"),
}
_LIMIT_HEADERS = re.compile(r"(?:x-ratelimit|anthropic-ratelimit)-[a-z0-9-]{1,60}")
_LIMIT_VALUE = re.compile(r"[0-9.]{1,12}(?:ms|s|m|h)?(?:[0-9.]{1,12}s)?|[0-9TZ:.-]{10,30}|[a-z_]{1,30}")
_QUERY = ("beta=true", "alt=sse")
_WORD = re.compile(r"[A-Za-z_$][\w$-]*")
_SEPARATOR = re.compile(r"([/:])")
_DAY = 86_400


class Refused(Exception):
    """What was made holds what must not leave this machine; the text names the kinds."""


def make_repro(capture: Capture, bodies: Bodies) -> Capture:
    """The repro, still without its check. The same capture gives the same repro. Raises Refused, TooDeep."""
    maker = Maker(capture, bodies)
    made = maker.make()
    text = encode(made).decode()
    _refuse(find_secrets(text) if bodies == "full" else find_private(text))
    return made


def check_private(text: str) -> None:
    """Raise Refused for a finished text in which anything private is found."""
    _refuse(find_private(text))


def _refuse(found: Mapping[str, int]) -> None:
    if found:
        told = ", ".join(f"{count} \N{MULTIPLICATION SIGN} {kind}" for kind, count in found.items())
        raise Refused(f"it would hold what looks like {told}")


class Maker:
    """Makes one repro, and shapes texts about the same request so that names are replaced alike."""

    def __init__(self, capture: Capture, bodies: Bodies):
        self._capture = capture
        self._bodies: Bodies = bodies
        self._shaper = Shaper()
        self._names = self._shaper.names
        self._backends: dict[str, str] = {}
        self._accounts: dict[str, str] = {}

    def make(self) -> Capture:
        """The repro, which was not looked through yet. Raises TooDeep."""
        capture = self._capture
        self._number_all()
        request = capture.request
        if request is not None:
            request = msgspec.structs.replace(
                request,
                target=self._shape_target(request.target),
                headers=self._select_headers(request.headers),
                body=self._shape_body(request.body, stream=False),
            )
        exchanges = [self._shape_exchange(one) for one in capture.exchanges]
        answer = capture.answer
        if answer is not None:
            body = self._shape_body(answer.body, stream=_is_stream(answer.headers), failed=answer.status >= 400)
            answer = msgspec.structs.replace(answer, headers=self._select_headers(answer.headers), body=body)
        meta = self._shape_meta()
        kept = {f"kept: {name}": 1 for name in sorted(self._names.kept)}
        repro = ReproLine(bodies=self._bodies, removed={**dict(sorted(self._names.counts.items())), **kept})
        return Capture(meta=meta, repro=repro, request=request, exchanges=exchanges, answer=answer)

    def _number_all(self) -> None:
        """Give every backend and account a number before any text is shaped that may name it."""
        found = [(one.backend, one.account) for one in self._capture.exchanges]
        decision = self._capture.meta.decision
        for backend, account in [*found, *([(decision.backend, decision.account)] if decision else [])]:
            _number(self._backends, backend, "backend")
            _number(self._accounts, account, "account")
        self._names.configured = {**self._accounts, **self._backends}

    def _shape_exchange(self, one: ExchangeLine) -> ExchangeLine:
        answer = one.answer
        if answer is not None:
            body = self._shape_body(answer.body, stream=_is_stream(answer.headers), failed=answer.status >= 400)
            answer = msgspec.structs.replace(answer, reason="", headers=self._select_headers(answer.headers), body=body)
        return msgspec.structs.replace(
            one,
            backend=_number(self._backends, one.backend, "backend"),
            account=_number(self._accounts, one.account, "account"),
            target=self._shape_target(one.target),
            headers=self._select_headers(one.headers),
            body=None if one.body is None else self._shape_body(one.body, stream=False),
            answer=answer,
            error=self._names.fill_error(one.error),
        )

    def _shape_meta(self) -> Any:
        meta = self._capture.meta
        return msgspec.structs.replace(
            meta,
            schema=2,
            id="req_repro",
            time=float(int(meta.time) // _DAY * _DAY),
            key="",
            tag="",
            session="",
            text=self._names.fill_error(meta.text),
            losses=[self.shape_path(loss) for loss in meta.losses],
            notes=[self._names.fill_error(note) for note in meta.notes],
            decision=None if meta.decision is None else self._shape_decision(meta.decision),
        )

    def _shape_decision(self, decision: Decision) -> Decision:
        settings = dict(decision.settings)
        losses = settings.get("losses")
        if isinstance(losses, dict):
            policies = cast("dict[str, Any]", losses)
            settings["losses"] = {self.shape_path(path): policy for path, policy in policies.items()}
        return msgspec.structs.replace(
            decision,
            backend=_number(self._backends, decision.backend, "backend"),
            account=_number(self._accounts, decision.account, "account"),
            chosen=self._names.fill_error(decision.chosen),
            rule=None if decision.rule is None else self._shape_rule(decision.rule),
            edits=[self._shape_edits(one) for one in decision.edits],
            earlier=[
                msgspec.structs.replace(one, backend=_number(self._backends, one.backend, "backend"))
                for one in decision.earlier
            ],
            settings=settings,
        )

    def _shape_rule(self, rule: RuleExcerpt) -> RuleExcerpt:
        def number(name: str) -> str:
            return _number(self._backends, name, "backend")

        return shape_rule(rule, self._shaper, number, self.shape_model)

    def _shape_edits(self, edits: ConfiguredEdits) -> ConfiguredEdits:
        if self._bodies == "full":
            return edits
        return shape_edits(edits, self._shaper, _is_known_header)

    def shape_error(self, text: str) -> str:
        """The message of an error."""
        return self._names.fill_error(text)

    def shape_model(self, name: str) -> str:
        """The name of a model that the capture names too, which stays; of another only the form."""
        meta = self._capture.meta
        return name if name in (meta.model, meta.sent_model) else self._names.rename(name)

    def shape_path(self, path: str) -> str:
        """The path of a field, as it is in the shaped body."""
        return _WORD.sub(self._shape_word, path)

    def _shape_word(self, match: re.Match[str]) -> str:
        word = match[0]
        if self._bodies == "full":
            return word
        known = self._names.known(word)
        if known is not None and word not in PROTOCOL_WORDS:
            return known
        return word if word in PROTOCOL_WORDS or word in self._names.kept else self._names.rename(word)

    def _shape_target(self, target: str) -> str:
        path, _, query = target.partition("?")
        models = (self._capture.meta.model, self._capture.meta.sent_model)
        parts = [
            part if not part or part in "/:" or part in PROTOCOL_WORDS or part in models else self._names.rename(part)
            for part in _SEPARATOR.split(path)
        ]
        kept = [pair for pair in query.split("&") if pair in _QUERY]
        return "".join(parts) + ("?" + "&".join(kept) if kept else "")

    def _select_headers(self, headers: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        kept = [(name, value) for name, value in headers if _is_harmless(name, value)]
        self._names.counts["header fields"] += len(headers) - len(kept)
        return kept

    def _shape_body(self, body: Body, *, stream: bool, failed: bool = False) -> Body:
        if self._bodies == "full" or not body.text:
            return body
        if self._bodies == "none":
            self._names.counts["bodies"] += 1
            return Body(cut=body.cut, chunks=[(moment, 0) for moment, _ in body.chunks])
        if stream:
            text, chunks = shape_stream(body.text, body.chunks, self._shaper)
            return Body(text=text, cut=body.cut, chunks=chunks)
        text = self._shaper.shape_json(body.text, error=failed)
        if text is None and body.text.lstrip()[:1] in ("{", "["):
            text = fill_json_text(body.text, self._names.rename, PROTOCOL_WORDS.__contains__)
        if text is None:
            text = self._names.fill_error(body.text)
        # One chunk: where in a JSON body a packet ended means nothing.
        chunks = [(body.chunks[-1][0], len(text.encode("utf-8", "surrogatepass")))] if body.chunks else []
        return Body(text=text, cut=body.cut, chunks=chunks)


def _is_stream(headers: Sequence[tuple[str, str]]) -> bool:
    return any(name == "content-type" and value.startswith("text/event-stream") for name, value in headers)


def _is_known_header(name: str) -> bool:
    return name in _HEADERS or name in _KIND_HEADERS or name in PROTOCOL_WORDS


def _is_harmless(name: str, value: str) -> bool:
    if name in _KIND_HEADERS:
        return all(part.strip().lower() in _KINDS for part in value.replace(";", ",").split(","))
    form = _HEADERS.get(name)
    if form is None and _LIMIT_HEADERS.fullmatch(name):
        form = _LIMIT_VALUE
    return form is not None and form.fullmatch(value) is not None


def _number(known: dict[str, str], name: str, kind: str) -> str:
    """`backend-1` for the first name, and so on; '' for none."""
    return known.setdefault(name, f"{kind}-{len(known) + 1}") if name else ""


__all__ = ["Bodies", "Maker", "Refused", "TooDeep", "check_private", "make_repro"]
