"""Commands that show what fairlead knows: models, explain, usage, why."""
