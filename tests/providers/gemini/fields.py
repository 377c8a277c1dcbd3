"""The messages of the Gemini API, and a check of a JSON body against them as strict as Google's own parser: a key that
a message does not have refuses the whole request, under its path.

Names are taken in camelCase and in snake_case, int64 as number or string, bytes in both alphabets of base64, with or
without padding, enums in any case.
"""

import base64
import binascii
import re

from .errors import bad_request, bad_value, unknown_field

STRING, INT, NUMBER, BOOL, BYTES, STRUCT, VALUE = "STRING", "INT64", "DOUBLE", "BOOL", "BYTES", "STRUCT", "VALUE"


class Enum(frozenset):
    """The values of an enumeration."""


class Map:
    """A map from names to values of one kind."""

    def __init__(self, kind):
        self.kind = kind


_BLOB = {"mimeType": STRING, "data": BYTES, "displayName": STRING}
_FILE = {"fileUri": STRING, "mimeType": STRING, "displayName": STRING}
_LEVELS = Enum({"THINKING_LEVEL_UNSPECIFIED", "MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH"})
_RESOLUTION = Enum({f"MEDIA_RESOLUTION_{word}" for word in ("UNSPECIFIED", "LOW", "MEDIUM", "HIGH", "ULTRA_HIGH")})
_SCHEMA_TYPES = Enum({"TYPE_UNSPECIFIED", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"})
_THRESHOLDS = Enum(
    {
        *("HARM_BLOCK_THRESHOLD_UNSPECIFIED", "BLOCK_LOW_AND_ABOVE", "BLOCK_MEDIUM_AND_ABOVE", "BLOCK_ONLY_HIGH"),
        *("BLOCK_NONE", "OFF"),
    }
)

#: Message -> field -> kind; a list of one kind is a repeated field.
MESSAGES = {
    "GenerateContentRequest": {
        "model": STRING,
        "contents": ["Content"],
        "systemInstruction": "Content",
        "tools": ["Tool"],
        "toolConfig": "ToolConfig",
        "safetySettings": ["SafetySetting"],
        "generationConfig": "GenerationConfig",
        "cachedContent": STRING,
        "serviceTier": STRING,
        "store": BOOL,
        "continuationToken": STRING,
    },
    "CountTokensRequest": {
        "model": STRING,
        "contents": ["Content"],
        "generateContentRequest": "GenerateContentRequest",
    },
    "EmbedContentRequest": {
        "model": STRING,
        "content": "Content",
        "taskType": STRING,
        "title": STRING,
        "outputDimensionality": INT,
    },
    "BatchEmbedContentsRequest": {"model": STRING, "requests": ["EmbedContentRequest"]},
    "Content": {"role": STRING, "parts": ["Part"]},
    "Part": {
        "text": STRING,
        "inlineData": "Blob",
        "fileData": "FileData",
        "functionCall": "FunctionCall",
        "functionResponse": "FunctionResponse",
        "executableCode": "ExecutableCode",
        "codeExecutionResult": "CodeExecutionResult",
        "toolCall": STRUCT,
        "toolResponse": STRUCT,
        "thought": BOOL,
        "thoughtSignature": BYTES,
        "partMetadata": STRUCT,
        "videoMetadata": "VideoMetadata",
        "mediaResolution": "MediaResolution",
    },
    "Blob": _BLOB,
    "FileData": _FILE,
    "FunctionCall": {"id": STRING, "name": STRING, "args": STRUCT},
    "FunctionResponse": {
        "id": STRING,
        "name": STRING,
        "response": STRUCT,
        "parts": ["FunctionResponsePart"],
        "willContinue": BOOL,
        "scheduling": Enum({"SCHEDULING_UNSPECIFIED", "SILENT", "WHEN_IDLE", "INTERRUPT"}),
    },
    "FunctionResponsePart": {"inlineData": "Blob", "fileData": "FileData"},
    "ExecutableCode": {"id": STRING, "language": STRING, "code": STRING},
    "CodeExecutionResult": {"id": STRING, "outcome": STRING, "output": STRING},
    "VideoMetadata": {"startOffset": STRING, "endOffset": STRING, "fps": NUMBER},
    "MediaResolution": {"level": _RESOLUTION, "numTokens": INT},
    "Tool": {
        "functionDeclarations": ["FunctionDeclaration"],
        **dict.fromkeys(
            ("googleSearch", "googleSearchRetrieval", "googleMaps", "urlContext", "codeExecution", "computerUse"),
            STRUCT,
        ),
        "fileSearch": STRUCT,
        "mcpServers": [STRUCT],
    },
    "FunctionDeclaration": {
        "name": STRING,
        "description": STRING,
        "parameters": "Schema",
        "parametersJsonSchema": VALUE,
        "response": "Schema",
        "responseJsonSchema": VALUE,
        "behavior": Enum({"UNSPECIFIED", "BLOCKING", "NON_BLOCKING"}),
    },
    "ToolConfig": {
        "functionCallingConfig": "FunctionCallingConfig",
        "retrievalConfig": STRUCT,
        "includeServerSideToolInvocations": BOOL,
    },
    "FunctionCallingConfig": {
        "mode": Enum({"MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"}),
        "allowedFunctionNames": [STRING],
    },
    "SafetySetting": {"category": STRING, "threshold": _THRESHOLDS, "method": STRING},
    "GenerationConfig": {
        **dict.fromkeys(("temperature", "topP", "topK", "presencePenalty", "frequencyPenalty"), NUMBER),
        **dict.fromkeys(("candidateCount", "maxOutputTokens", "logprobs", "seed"), INT),
        "stopSequences": [STRING],
        "responseLogprobs": BOOL,
        "responseMimeType": STRING,
        "responseSchema": "Schema",
        "responseJsonSchema": VALUE,
        "responseModalities": [Enum({"MODALITY_UNSPECIFIED", "TEXT", "IMAGE", "AUDIO", "VIDEO"})],
        "mediaResolution": _RESOLUTION,
        "speechConfig": STRUCT,
        "thinkingConfig": "ThinkingConfig",
        "imageConfig": STRUCT,
        "enableEnhancedCivicAnswers": BOOL,
        "audioTranscriptionConfig": STRUCT,
    },
    "ThinkingConfig": {"includeThoughts": BOOL, "thinkingBudget": INT, "thinkingLevel": _LEVELS},
    "Schema": {
        "type": _SCHEMA_TYPES,
        **dict.fromkeys(("format", "title", "description", "pattern", "ref"), STRING),
        "nullable": BOOL,
        "enum": [STRING],
        "items": "Schema",
        **dict.fromkeys(("minItems", "maxItems", "minProperties", "maxProperties", "minLength", "maxLength"), INT),
        "properties": Map("Schema"),
        "required": [STRING],
        "minimum": NUMBER,
        "maximum": NUMBER,
        "example": VALUE,
        "anyOf": ["Schema"],
        "propertyOrdering": [STRING],
        "default": VALUE,
        "additionalProperties": VALUE,
        "defs": Map("Schema"),
    },
}


def snake(name):
    """camelCase as snake_case."""
    return re.sub("[A-Z]", lambda found: "_" + found[0].lower(), name)


def get(value, name, default=None):
    """A field in either spelling; None counts as absent."""
    found = value.get(name)
    found = value.get(snake(name)) if found is None else found
    return default if found is None else found


def decode(text):
    """The bytes of base64 in either alphabet; ValueError when it is none."""
    text = text.rstrip("=").translate(str.maketrans("-_", "+/"))
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def check_body(message, body):
    """Raise Refused for a body that does not fit the message."""
    if not isinstance(body, dict):
        raise bad_request([unknown_field("", "", "Root element must be a message.")])
    violations = []
    _check_message(message, body, "", violations)
    if violations:
        raise bad_request(violations)


def _check_message(message, value, path, violations):
    fields = {spelled: (name, kind) for name, kind in MESSAGES[message].items() for spelled in (name, snake(name))}
    for key, found in value.items():
        if key not in fields:
            violations.append(unknown_field(key, path))
        elif found is not None:
            name, kind = fields[key]
            at = f"{path}.{snake(name)}".lstrip(".")
            _check_field(kind, found, key, at, path, violations)


def _check_field(kind, found, key, at, path, violations):
    if isinstance(kind, list):
        if not isinstance(found, list):
            # The parser takes a single message for a list of one.
            found = [found]
        for index, one in enumerate(found):
            _check_value(kind[0], one, f"{at}[{index}]", violations)
    elif isinstance(found, list) and kind != VALUE:
        violations.append(unknown_field(key, path, "Proto field is not repeating, cannot start list."))
    elif isinstance(kind, Map):
        for index, one in enumerate(found.values()):
            _check_value(kind.kind, one, f"{at}[{index}].value", violations)
    else:
        _check_value(kind, found, at, violations)


def _check_value(kind, found, at, violations):
    if kind in MESSAGES:
        if isinstance(found, dict):
            _check_message(kind, found, at, violations)
        else:
            violations.append(bad_value(at, f"type.googleapis.com/{kind}", repr(found)))
    elif isinstance(kind, Enum):
        if not (isinstance(found, str) and found.upper() in kind):
            violations.append(bad_value(at, "TYPE_ENUM", f'"{found}"'))
    elif not _FITS[kind](found):
        violations.append(bad_value(at, f"TYPE_{kind}", repr(found)))


def _is_base64(found):
    try:
        decode(found)
    except (AttributeError, binascii.Error, ValueError):
        return False
    return True


def _is_number(found):
    return isinstance(found, int | float) and not isinstance(found, bool)


def _is_whole(found):
    if isinstance(found, str):
        return found.removeprefix("-").isdigit()
    return _is_number(found) and found == int(found)


_FITS = {
    STRING: lambda found: isinstance(found, str),
    INT: _is_whole,
    NUMBER: _is_number,
    BOOL: lambda found: isinstance(found, bool),
    BYTES: _is_base64,
    STRUCT: lambda found: isinstance(found, dict),
    VALUE: lambda found: True,
}
