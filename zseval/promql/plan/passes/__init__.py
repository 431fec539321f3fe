"""Rewrites of a plan that change no result."""
