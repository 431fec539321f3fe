"""Go templates for annotations, labels and messages: text and data in, text out."""

from zseval.template.expand import AlertData, Reads, check, expand, expand_alert, reads_of

__all__ = ["AlertData", "Reads", "check", "expand", "expand_alert", "reads_of"]
