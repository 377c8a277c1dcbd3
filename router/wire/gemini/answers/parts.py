"""The names that are read of Gemini's answers, and those that need not be."""

#: Of an answer or a chunk.
ANSWER = frozenset(
    (
        *("candidates", "usageMetadata", "promptFeedback", "modelVersion", "responseId", "createTime", "modelStatus"),
        *("error", "sdkHttpResponse"),
    )
)
#: Of a candidate. Ratings, and probabilities that were not asked for, mean nothing to callers of other protocols.
CANDIDATE = frozenset(
    (
        *("content", "finishReason", "finishMessage", "index", "safetyRatings", "tokenCount", "avgLogprobs"),
        *("logprobsResult", "continuationToken"),
    )
)
#: Of a content.
CONTENT = frozenset(("role", "parts"))
#: Beside the data of a part.
PART = frozenset(("text", "thought", "thoughtSignature", "functionCall", "partMetadata"))
