"""Exports of what requests were like, to collectors that the user names."""
