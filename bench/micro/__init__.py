"""Kernels, parsers, encoders and the index, each on its own."""
