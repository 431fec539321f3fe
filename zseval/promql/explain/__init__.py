"""Explanations: what every part of a query gave, and why a part is empty."""
