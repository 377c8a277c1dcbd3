"""The output items of a Responses answer, read and written."""
