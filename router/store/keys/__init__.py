"""Keys at rest and references to keys."""
