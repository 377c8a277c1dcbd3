"""Runs captured requests again, through a proxy of its own, with the upstreams' captured answers or with new ones."""
