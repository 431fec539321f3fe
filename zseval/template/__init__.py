"""Go templates for annotations, labels and messages: text and data in, text out."""

from zseval.template.expand import AlertData, check, expand, expand_alert

__all__ = ["AlertData", "check", "expand", "expand_alert"]
