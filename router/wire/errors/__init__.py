"""What upstreams' errors say: their codes, their texts, and requests that are too long for a model."""
