"""What an exchange tells a capture of itself."""
