"""Commands that go on: a line for each request that ends, and what runs now."""
