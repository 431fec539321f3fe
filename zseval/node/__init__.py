"""The composition root: makes the parts, joins them, runs and stops their loops."""
