"""Configuration and rule files: YAML with positions, checked against tables of keys."""
