"""A protocol for tests: its model and its stream flag stand in the path, and no field is named as in other protocols.

    POST /v1/toy/MODEL, /v1/toy/MODEL:stream
    {"rules": text, "turns": [{"by": "caller" or "model", "say": text}], "most": tokens}
    {"no": id, "from": model, "say": text, "end": "done" or "full", "meter": {"seen": tokens, "made": tokens}}
    data: {"bit": text}          …, then the end
    data: {"end": "done", "meter": …}
    {"trouble": {"word": slow_down and others, "why": text}}

Everything that fairlead needs to know of it is the one entry, TOY.
"""

from router.backends import Api
from router.wire.model_lists import openai as openai_models
from router.wire.protocol import Codec, Effort, ModelList, WireProtocol

from . import codec, errors, limits
from .dialect import Toy


def _recognize(top, fields):
    return 5 if "turns" in top else 0


def _tiny_request(model, cap, text="hi", tokens=16):
    return {"turns": [{"by": "caller", "say": text}], cap: tokens}


TOY = WireProtocol(
    name="toy",
    api=Api(name="toy", key_header="X-Toy-Key", key_prefix="", request_id_header="x-toy-id"),
    dialect=Toy(),
    codec=Codec(
        codec.decode_request,
        codec.encode_request,
        codec.decode_answer,
        codec.encode_answer,
        codec.ToyDecoder,
        codec.ToyEncoder,
        errors.decode_error,
        errors.encode_error,
    ),
    path="/v1/toy/{model}",
    stream_path="/v1/toy/{model}:stream",
    prefix="/v1/toy-box/",
    conversation="turns",
    answer_field="say",
    recognize=_recognize,
    output_caps=("most",),
    effort=Effort(field="care"),
    tiny_request=_tiny_request,
    quota_words=(b'"word":"pay"',),
    limits=limits.NAMES,
    halt_status=418,
    models=ModelList(openai_models.entry, openai_models.page),
)

__all__ = ["TOY"]
