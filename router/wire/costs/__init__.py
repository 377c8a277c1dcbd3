"""What a request and its answer say of their cost: charges, tiers, searches, limits."""
