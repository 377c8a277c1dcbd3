"""Several processes that serve one port: the parent holds it and answers operators, its workers serve the APIs."""
