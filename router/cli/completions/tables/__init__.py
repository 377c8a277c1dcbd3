"""Commands, settings and names as data; `python packaging/words.py` writes them from the declarations."""
