"""Values of the field: labels, matchers, numbers, durations, alerts. Nothing here acts."""
