"""Which requests may be given the answer that an equal one got, what makes them equal, and which answers are kept."""
