"""Serves the operator's endpoints: dispatch, the handlers (one file a subject), and the lists of models."""
