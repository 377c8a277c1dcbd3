"""The entry of Google's generateContent."""

from router.backends import GOOGLE
from router.wire.errors import overflow_texts
from router.wire.gemini import counting, errors, foreign_signatures, own_signatures, paths, traits
from router.wire.gemini.dialect import Gemini
from router.wire.gemini.requests import resource_names
from router.wire.kept_answers import google as google_kept
from router.wire.model_lists import google
from router.wire.protocol import (
    Codec,
    Effort,
    LateCodec,
    ModelList,
    OwnState,
    ResourceNames,
    TokenCounting,
    WireProtocol,
)


def _load_codec() -> Codec:
    from router.wire.gemini.answers.decode_answer import decode_answer
    from router.wire.gemini.answers.decode_stream import GeminiDecoder
    from router.wire.gemini.answers.encode_answer import encode_answer
    from router.wire.gemini.answers.encode_stream import GeminiEncoder
    from router.wire.gemini.requests.decode_request import decode_request
    from router.wire.gemini.requests.encode_request import encode_request

    return Codec(
        decode_request,
        encode_request,
        decode_answer,
        encode_answer,
        GeminiDecoder,
        GeminiEncoder,
        errors.decode_error,
        errors.encode_error,
    )


# Model and verb stand in the path, behind the version; sizes and choices stand in one object below the top level.
GEMINI = WireProtocol(
    name="gemini",
    api=GOOGLE,
    dialect=Gemini(),
    codec=LateCodec.of(_load_codec),
    path=paths.PATH,
    stream_path=paths.STREAM_PATH,
    stream_query="alt=sse",
    fill_path=paths.fill_path,
    join_root=paths.join_root,
    spell_path=paths.spell_path,
    read_path=paths.read_path,
    check_name=paths.check_name,
    find_listed=paths.find_listed,
    prefix="/v1beta/",
    prefixes=paths.PREFIXES,
    live=paths.LIVE,
    key_in_query=True,
    count=TokenCounting(
        path=paths.COUNT_PATH,
        fields=frozenset(("contents", "generateContentRequest")),
        read=counting.read_counted,
        write=counting.write_counted,
        flatten=counting.flatten_counted,
        answer_field="totalTokens",
        asks_model=True,
    ),
    kept=google_kept.GEMINI,
    conversation="contents",
    answer_field="candidates",
    choices=traits.CHOICES,
    recognize=traits.recognize,
    model_words=traits.MODEL_WORDS,
    images=traits.IMAGES,
    asks_thinking=traits.asks_thinking,
    find_bound=traits.find_bound,
    output_caps=traits.OUTPUT_CAPS,
    effort=Effort(field="generationConfig.thinkingConfig.thinkingLevel", words=traits.LEVELS, off=traits.turn_off),
    spell_field=traits.spell_field,
    tiny_request=traits.tiny_request,
    rename_model=counting.rename_model,
    own_state=own_signatures.MARK,
    restored=OwnState(own_signatures.MARK, own_signatures.restore_signatures),
    drop_foreign_thinking=foreign_signatures.drop_foreign_signatures,
    auth_words=errors.AUTH_WORDS,
    tell_wait=errors.tell_wait,
    has_error_form=errors.has_own_form,
    knows_overflow=errors.is_overflow,
    say_overflow=overflow_texts.say_to_google,
    collections=resource_names.COLLECTIONS,
    resources=ResourceNames(resource_names.find_in_path, resource_names.find_in_body, resource_names.find_issued),
    comments=False,
    breaks_off=True,
    limits=None,
    models=ModelList(google.entry, google.page),
)
