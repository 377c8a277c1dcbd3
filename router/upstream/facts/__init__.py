"""Asks backends what they say of their models, beside the names that their catalogs list."""
