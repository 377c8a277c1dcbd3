"""Client keys as named grants: their form, and what each may use."""
