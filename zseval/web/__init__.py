"""The HTTP side: Prometheus' API and management paths."""
