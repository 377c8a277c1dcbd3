"""What the proxies of one store keep in step while requests run."""
