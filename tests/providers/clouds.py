"""Fakes of the clouds on loopback: each takes only its own paths, keys, headers and names of models, and refuses all
else in its own words.

The rules are those of the vendors' pages on Claude on Vertex AI, on the Messages and OpenAI endpoints of Amazon
Bedrock, and on the v1 API of Azure OpenAI and Microsoft Foundry. Vendors' own SDKs hold the fakes to them
(test_clouds.py).
"""

import base64
import json
import re
import time
from types import SimpleNamespace
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from ..clients.model import DONE, write_answer
from .event_frames import KIND, write_events
from .gemini.errors import Refused
from .gemini.fields import check_body
from .gemini.models import find_model
from .gemini.replies import Reply, Writer
from .gemini.rules import check_request
from .gemini.signatures import Signer
from .serving import SSE, Server

#: Fields that a Messages request may have; any other is refused.
MESSAGES_FIELDS = frozenset(
    (
        *("model", "max_tokens", "messages", "system", "stream", "tools", "tool_choice", "metadata", "stop_sequences"),
        *("temperature", "top_p", "top_k", "thinking", "output_config", "service_tier", "context_management"),
        *("container", "mcp_servers", "cache_control", "speed"),
    )
)
#: Of Anthropic's API, as its header names them.
_VERSIONS = ("2023-06-01", "2026-10-21")
_CREDENTIALS = ("authorization", "x-api-key", "api-key", "x-goog-api-key")


class Asked(NamedTuple):
    """One request that was answered. door: which of the cloud's services. model: as it was asked for."""

    door: str
    model: str
    fields: dict
    body: dict


class Cloud(Server):
    """One cloud. key: the one it knows. answered: what it answered; refused: what it refused, with the reasons."""

    #: Path -> door; groups: of the path.
    doors: tuple

    def __init__(self, key):
        self.key = key
        self.answered, self.refused = [], []
        super().__init__(self._answer)

    def _answer(self, asked, out):
        try:
            for door, pattern in self.doors:
                found = re.fullmatch(pattern, asked.path)
                if found is not None and asked.method == "POST":
                    self._serve(door, found.groupdict(), asked, out)
                    return
            raise self.refuse("", 404, f"no such path: {asked.path}")
        except Refused as refusal:
            self.refused.append((asked, str(refusal)))
            out.whole(refusal.code, refusal.body, getattr(refusal, "fields", ()))

    def _serve(self, door, place, asked, out):
        self.check_key(door, asked)
        body = asked.json()
        protocol = door.partition(" ")[0]
        model = self.check(door, place, asked, body)
        if protocol == "messages":
            self._check_messages(door, body)
        self.answered.append(Asked(door, model, asked.fields, body))
        self.write(door, place, asked, body, out)

    def write(self, door, place, asked, body, out):
        """The answer to a request that was taken."""
        if door == "messages count":
            out.whole(200, {"input_tokens": 7})
            return
        data, kind = write_answer(SimpleNamespace(protocol=door.partition(" ")[0], calls_now=lambda asked: False), body)
        if body.get("stream") is True:
            out.begin(kind=SSE)
            out.send(data)
            out.end()
        else:
            out.whole(200, data, kind=kind)

    def _check_messages(self, door, body):
        for name in body:
            if name not in MESSAGES_FIELDS:
                raise self.refuse(door, 400, f"{name}: Extra inputs are not permitted")
        if "max_tokens" not in body and door != "messages count":
            raise self.refuse(door, 400, "max_tokens: Field required")

    def only(self, asked, *names):
        """Raise Refused for credentials in other headers."""
        for name in _CREDENTIALS:
            if name in asked.fields and name not in names:
                raise self.refuse("", 401, f"a credential in the header {name}")

    def check_key(self, door, asked):
        """Raise Refused for a request without its key."""
        self.only(asked, "authorization")
        if asked.fields.get("authorization") != f"Bearer {self.key}":
            raise self.refuse(door, 401, "Request had invalid authentication credentials.")

    def check(self, door, place, asked, body):
        """The model's name. Raises Refused for what the door does not take; takes its own fields out of the body."""
        raise NotImplementedError

    def refuse(self, door, code, message):
        """The refusal in the cloud's form."""
        if door.startswith("messages") and code in (400, 404):
            error = {"type": "invalid_request_error", "message": message}
            return _shaped(code, message, {"type": "error", "error": error})
        return _shaped(code, message, {"error": {"message": message, "type": "invalid_request_error", "code": None}})


def _shaped(code, message, body, fields=()):
    refusal = Refused(code, message)
    refusal.body, refusal.fields = body, fields
    return refusal


class VertexUpstream(Cloud):
    """Claude, Gemini, and other publishers' models in OpenAI's form, on Vertex AI. project, location: the only ones."""

    _PLACE = r"/v1(?:beta1)?/projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)"
    doors = (
        ("messages count", rf"{_PLACE}/publishers/anthropic/models/count-tokens:rawPredict"),
        ("messages", rf"{_PLACE}/publishers/anthropic/models/(?P<model>[^/]+):(?P<verb>rawPredict|streamRawPredict)"),
        ("gemini", rf"{_PLACE}/publishers/google/models/(?P<model>[^/:]+):(?P<verb>[A-Za-z]+)"),
        ("chat", rf"{_PLACE}/endpoints/openapi/chat/completions"),
        ("responses", rf"{_PLACE}/publishers/openai/v1/responses"),
    )

    def __init__(self, key, project="p-1", location="global"):
        super().__init__(key)
        self.project, self.location = project, location

    def check(self, door, place, asked, body):
        if (place["project"], place["location"]) != (self.project, self.location):
            raise Refused(403, f"Permission denied on resource project {place['project']}.")
        if door == "gemini":
            return self._check_gemini(place, body)
        if not door.startswith("messages"):
            model = body.get("model", "")
            if door == "chat" and "/" not in model:
                raise Refused(400, f"Malformed publisher model (`{model}`): expected `publisher/model`.")
            return model
        if "anthropic-version" in asked.fields:
            raise self.refuse(door, 400, "anthropic-version: the header is not taken here")
        if body.pop("anthropic_version", None) not in ("vertex-2023-10-16", "2026-10-21"):
            raise self.refuse(door, 400, "anthropic_version: Field required")
        if door == "messages count":
            return body.get("model", "")
        if "model" in body:
            raise self.refuse(door, 400, "model: Extra inputs are not permitted")
        if (body.get("stream") is True) is not (place["verb"] == "streamRawPredict"):
            raise self.refuse(door, 400, "stream: does not fit the path")
        if not re.fullmatch(r"claude-[a-z0-9-]+(?:@\d{8})?", place["model"]):
            raise Refused(404, f"Publisher Model `{place['model']}` was not found.")
        return place["model"]

    def _check_gemini(self, place, body):
        model = find_model(place["model"], "v1")
        message = "CountTokensRequest" if place["verb"] == "countTokens" else "GenerateContentRequest"
        # It has no model in the body, and a field for labels that Google's other API does not have.
        check_body(message, {name: value for name, value in body.items() if name != "labels"})
        if {"model", "store", "generateContentRequest"} & {*body}:
            raise Refused(400, "Invalid JSON payload received. Unknown name.")
        check_request(model, body)
        return place["model"]

    def write(self, door, place, asked, body, out):
        if door != "gemini":
            super().write(door, place, asked, body, out)
            return
        if place["verb"] == "countTokens":
            out.whole(200, {"totalTokens": 7, "totalBillableCharacters": 20})
            return
        model = find_model(place["model"])
        writer = Writer(Reply(DONE), model, place["model"], Signer(), shown=False, tokens=9)
        if place["verb"] == "generateContent":
            out.whole(200, writer.whole())
            return
        out.begin(kind=SSE)
        out.send(b"".join(b"data: " + json.dumps(chunk).encode() + b"\r\n\r\n" for chunk in writer.chunks()))
        out.end()


class BedrockUpstream(Cloud):
    """Bedrock's runtime with the Messages and OpenAI endpoints, and InvokeModel; Claude by its inference profiles."""

    doors = (
        ("messages invoke", "/model/(?P<model>.+)/(?P<verb>invoke|invoke-with-response-stream)"),
        ("messages", "/anthropic/v1/messages"),
        ("chat", "/openai/v1/chat/completions"),
        ("responses", "/openai/v1/responses"),
    )
    _CLAUDE = r"(?:us|eu|apac|jp|au|global)\.anthropic\.claude-[a-z0-9.:-]+"
    _WRONG = (
        "Invocation of model ID {} with on-demand throughput isn't supported. Retry your request with the ID or ARN of "
        "an inference profile that contains this model."
    )
    _ARN = r"arn:aws:bedrock:us-east-1:\d{12}:application-inference-profile/[a-z0-9]+"
    region, service = "us-east-1", "bedrock"

    def check_key(self, door, asked):
        self.only(asked, "authorization")
        key = asked.fields.get("authorization", "").removeprefix("Bearer ")
        if key != self.key:
            self._check_short(key)

    def _check_short(self, key):
        """A short-term key is a signed URL: for this region and service, and not past its end."""
        if not key.startswith("bedrock-api-key-"):
            raise self._denied("The security token included in the request is invalid")
        url = urlsplit("https://" + base64.b64decode(key.removeprefix("bedrock-api-key-")).decode())
        said = {name: values[0] for name, values in parse_qs(url.query).items()}
        scope = said["X-Amz-Credential"].split("/")[1:]
        begun = time.mktime(time.strptime(said["X-Amz-Date"], "%Y%m%dT%H%M%SZ")) - time.timezone
        if scope[1:] != [self.region, "bedrock", "aws4_request"] or said["Action"] != "CallWithBearerToken":
            raise self._denied(f"Credential should be scoped to a valid region, not '{scope[1]}'")
        if not begun - 300 <= time.time() <= begun + int(said["X-Amz-Expires"]) <= begun + 43200:
            raise self._denied(f"Signature expired: {said['X-Amz-Date']}")

    def _denied(self, message):
        return _shaped(403, message, {"message": message})

    def _invalid(self, message):
        kind = "ValidationException:http://internal.amazon.com/coral/com.amazon.bedrock/"
        return _shaped(400, message, {"message": message}, [("x-amzn-ErrorType", kind)])

    def _check_invoke(self, place, asked, body):
        """The model stands in the path, as one segment; its version, and betas, in the body."""
        if asked.target.count("/") != 3 or not re.fullmatch(f"{self._CLAUDE}|{self._ARN}", place["model"]):
            raise self._invalid("The provided model identifier is invalid.")
        if asked.fields.get("accept") not in ("application/json", "*/*", None):
            raise self._invalid(f"The requested MIME type {asked.fields['accept']} is not supported.")
        for name in ("model", "stream"):
            if name in body:
                raise self._invalid(f"Malformed input request: {name}: Extra inputs are not permitted")
        if "anthropic-version" in asked.fields:
            raise self._invalid("anthropic-version: the header is not taken here")
        if body.pop("anthropic_version", None) not in ("bedrock-2023-05-31", "2026-10-21"):
            raise self._invalid("anthropic_version: Field required")
        if ",".join(body.pop("anthropic_beta", ())) != asked.fields.get("anthropic-beta", "").replace(" ", ""):
            raise self._invalid("anthropic_beta: not those of the header")
        return place["model"]

    def write(self, door, place, asked, body, out):
        if door != "messages invoke":
            super().write(door, place, asked, body, out)
            return
        streamed = place["verb"] != "invoke"
        model = SimpleNamespace(protocol="messages", calls_now=lambda asked: False)
        data, kind = write_answer(model, {**body, "stream": streamed})
        if not streamed:
            out.whole(200, data, kind=kind)
            return
        out.begin(kind=KIND)
        out.send(b"".join(write_events(data)))
        out.end()

    def check(self, door, place, asked, body):
        if door == "messages invoke":
            return self._check_invoke(place, asked, body)
        model = body.get("model", "")
        if not door.startswith("messages"):
            if "claude" in model:
                raise self.refuse(door, 400, f"The model '{model}' does not support the '{asked.path}' API")
            return model
        if asked.fields.get("anthropic-version") not in _VERSIONS:
            raise self.refuse(door, 400, "anthropic-version: header is required")
        if not re.fullmatch(self._CLAUDE, model):
            raise self.refuse(door, 400, self._WRONG.format(model))
        return model


class MantleUpstream(BedrockUpstream):
    """The other Bedrock: bare names of models, and counts of tokens."""

    doors = (
        ("messages count", "/anthropic/v1/messages/count_tokens"),
        ("messages", "/anthropic/v1/messages"),
        ("chat", "/v1/chat/completions"),
        ("responses", "/v1/responses"),
    )
    _CLAUDE = r"anthropic\.claude-[a-z0-9.:-]+"
    _WRONG = "The model '{}' does not exist"


class AzureUpstream(Cloud):
    """Azure OpenAI and Foundry, on the v1 API. deployments: the names of models."""

    doors = (
        ("messages count", "/anthropic/v1/messages/count_tokens"),
        ("messages", "/anthropic/v1/messages"),
        ("chat", "/openai/v1/chat/completions"),
        ("responses", "/openai/v1/responses"),
    )
    deployments = ("my-gpt", "my-claude")

    def check_key(self, door, asked):
        names = ("x-api-key", "api-key") if door.startswith("messages") else ("api-key",)
        self.only(asked, "authorization", *names)
        keys = [asked.fields[name] for name in names if name in asked.fields]
        keys += [asked.fields["authorization"].removeprefix("Bearer ")] if "authorization" in asked.fields else []
        if not keys or any(key != self.key for key in keys):
            text = "Access denied due to invalid subscription key or wrong API endpoint."
            raise _shaped(401, text, {"error": {"code": "401", "message": text}})

    def check(self, door, place, asked, body):
        if asked.query.get("api-version", "preview") != "preview":
            raise self.refuse(door, 404, "Resource not found")
        if door.startswith("messages") and asked.fields.get("anthropic-version") not in _VERSIONS:
            raise self.refuse(door, 400, "anthropic-version: header is required")
        if body.get("model") not in self.deployments:
            text = "The API deployment for this resource does not exist."
            raise _shaped(404, text, {"error": {"code": "DeploymentNotFound", "message": text}})
        return body["model"]
