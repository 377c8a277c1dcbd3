"""Pure decisions on routing: from a model name and the traits of a request to a backend."""
