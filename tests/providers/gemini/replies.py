"""What the fake's model says, and the JSON of it: whole, and in chunks as Google sends them."""

import json
import secrets
from typing import NamedTuple

from .fields import get

#: What the model says last; that a tool had answered it says in brackets.
ANSWER = "MOCK-ANSWER-7431"
THOUGHTS = "**Considering the request**\n\nThe user wants something simple."


class Reply(NamedTuple):
    """One answer. calls: names and arguments. thoughts: told to those who ask for them. finish: '' for a stream
    without its end. blocked: the reason that the prompt was refused for, in place of an answer. pieces: of the text."""

    text: str = ANSWER
    calls: tuple = ()
    thoughts: str = THOUGHTS
    finish: str = "STOP"
    message: str = ""
    blocked: str = ""
    pieces: int = 3


def call_tool(name, arguments, *more):
    """A plan: the tool is called when it is declared and has not answered in the turn; then ANSWER, with its result."""

    def plan(body):
        calls = [(name, arguments), *more]
        declared = declared_in(body)
        results = last_results(body)
        if results:
            return Reply(f"{ANSWER} (tool: {said(results[-1])[:200]})")
        calls = tuple(one for one in calls if one[0] in declared)
        return Reply("", calls) if calls else answer_shaped(body)

    return plan


def declared_in(body):
    """The names of the functions that a request declares."""
    return {get(one, "name") for tool in get(body, "tools", []) for one in get(tool, "functionDeclarations", [])}


#: Names of the tools that run a command in the agents and their arguments.
_COMMAND = "echo mock-tool-ran"
_SHELLS = {
    "run_shell_command": {"command": _COMMAND, "description": "Say hello", "is_background": False},
    "Bash": {"command": _COMMAND, "description": "Say hello"},
    "bash": {"command": _COMMAND, "description": "Say hello"},
    "exec_command": {"cmd": _COMMAND},
    "shell_command": {"command": _COMMAND},
    "shell": {"command": ["bash", "-lc", _COMMAND]},
}


def run_a_command(body):
    """A plan: whatever tool runs commands prints a word once."""
    for name in sorted(declared_in(body) & _SHELLS.keys()):
        return call_tool(name, _SHELLS[name])(body)
    return answer_shaped(body)


def answer_shaped(body):
    """A plan: ANSWER, or JSON that fits the schema that the request states."""
    config = get(body, "generationConfig", {})
    if get(config, "responseMimeType") != "application/json":
        return Reply()
    schema = get(config, "responseJsonSchema") or get(config, "responseSchema")
    return Reply(_json(fill(schema) if schema else {"answer": ANSWER}))


def _json(value):
    return json.dumps(value)


def fill(schema, root=None):
    """A value that fits a schema, as far as its types go."""
    root = schema if root is None else root
    if "$ref" in schema:
        found = root
        for name in schema["$ref"].lstrip("#/").split("/"):
            found = found[name]
        return fill(found, root)
    if schema.get("enum"):
        return schema["enum"][0]
    for several in (schema.get("anyOf"), schema.get("oneOf")):
        if several:
            return fill(several[0], root)
    kind = schema.get("type", "object")
    kind = (kind[0] if isinstance(kind, list) else kind).lower()
    if kind == "object":
        return {name: fill(one, root) for name, one in schema.get("properties", {}).items()}
    if kind == "array":
        return [fill(schema.get("items", {"type": "string"}), root)]
    return {"string": "text", "integer": 7, "number": 7.5, "boolean": True}.get(kind)


def last_results(body):
    """The function responses of the last content."""
    contents = get(body, "contents", [])
    parts = get(contents[-1], "parts", []) if contents else []
    return [get(part, "functionResponse") for part in parts if get(part, "functionResponse")]


def said(result):
    """The text of a function response."""
    response = get(result, "response", {})
    for name in ("output", "result", "content", "error"):
        if isinstance(response.get(name), str):
            return response[name]
    return _json(response)


class Writer:
    """Writes one reply as JSON. model: of the request, by its Model. shown: thoughts are wanted."""

    def __init__(self, reply, model, name, signer, *, shown, tokens):
        self._reply, self._shown = reply, shown
        self._head = {"modelVersion": name, "responseId": secrets.token_urlsafe(12)}
        thought = 20 if model.levels or model.budgets else 0
        made = max(1, len(reply.text) // 4) + 5 * len(reply.calls)
        self._usage = {"promptTokenCount": tokens, "candidatesTokenCount": made, "thoughtsTokenCount": thought}
        self._signatures = [signer.sign(name) if thought else ""]
        self._ids = model.signed

    def _parts(self):
        """All parts, in the order of the answer."""
        reply = self._reply
        if reply.thoughts and self._shown:
            yield {"text": reply.thoughts, "thought": True}
        size = max(1, -(-len(reply.text) // reply.pieces))
        for at in range(0, len(reply.text), size):
            yield {"text": reply.text[at : at + size]}
        signature = self._signatures[0]
        for index, (name, arguments) in enumerate(reply.calls):
            call = {"name": name, "args": arguments}
            call |= {"id": secrets.token_hex(4)} if self._ids else {}
            yield {"functionCall": call} | ({"thoughtSignature": signature} if signature and not index else {})
        if signature and not reply.calls and reply.text:
            yield {"text": "", "thoughtSignature": signature}

    def _metered(self, share):
        usage = {name: max(1, int(count * share)) if count else 0 for name, count in self._usage.items()}
        usage["promptTokenCount"] = self._usage["promptTokenCount"]
        found = {name: count for name, count in usage.items() if count}
        details = [{"modality": "TEXT", "tokenCount": usage["promptTokenCount"]}]
        return {
            **found,
            "totalTokenCount": sum(usage.values()),
            "promptTokensDetails": details,
            "serviceTier": "standard",
        }

    def _blocked(self):
        usage = {"promptTokenCount": 7, "totalTokenCount": 7}
        return {"promptFeedback": {"blockReason": self._reply.blocked}, "usageMetadata": usage, **self._head}

    def whole(self):
        """The answer to generateContent: adjacent texts are one part."""
        if self._reply.blocked:
            return self._blocked()
        parts = []
        for part in self._parts():
            last = parts[-1] if parts else {}
            if set(part) <= {"text", "thoughtSignature"} and set(last) == {"text"}:
                parts[-1] = {**part, "text": last["text"] + part["text"]}
            else:
                parts.append(part)
        return {"candidates": [self._candidate(parts, ends=True)], "usageMetadata": self._metered(1), **self._head}

    def _candidate(self, parts, *, ends):
        # Without a part there is no key `parts`.
        content = {"parts": parts, "role": "model"} if parts else {"role": "model"}
        end = {"finishReason": self._reply.finish} if ends and self._reply.finish else {}
        told = {"finishMessage": self._reply.message} if end and self._reply.message else {}
        return {"content": content, **end, **told, "index": 0}

    def chunks(self):
        """The answer to streamGenerateContent: calls whole, usage cumulative, the end with the last part."""
        if self._reply.blocked:
            return [self._blocked()]
        parts = list(self._parts()) or [None]
        if self._reply.calls or len(parts) == 1:
            parts.append({"text": ""})
        found = []
        for index, part in enumerate(parts):
            last = index == len(parts) - 1
            candidate = self._candidate([part] if part else [], ends=last)
            usage = self._metered((index + 1) / len(parts))
            found.append({"candidates": [candidate], "usageMetadata": usage, **self._head})
        return found
