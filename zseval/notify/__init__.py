"""Telling people: alerts on their way out of the node."""
