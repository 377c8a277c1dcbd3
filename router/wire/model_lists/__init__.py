"""The lists of models, in the shape of each vendor's API."""
