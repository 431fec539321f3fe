"""What to compute, as data that prints."""
