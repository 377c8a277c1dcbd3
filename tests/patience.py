"""How long tests wait for what must come."""

#: Seconds. Only what never comes takes so long: a machine that is busy is no failure of what is tested.
PATIENCE = 120.0
