"""Fields of tool calls that the model left empty, filled with what the caller's headers and the clock say."""
