"""Arithmetic of PromQL on arrays: numpy in, numpy out; no labels, no tree."""
