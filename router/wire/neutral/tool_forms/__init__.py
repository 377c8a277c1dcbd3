"""Forms that tools and their calls take towards upstreams, and back."""
