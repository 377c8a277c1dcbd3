"""What is known of models: their limits, and where each of them was told."""
