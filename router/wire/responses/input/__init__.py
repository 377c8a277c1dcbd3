"""The items of a Responses conversation that other protocols have no form for."""
