"""Go templates for annotations, labels and messages."""
