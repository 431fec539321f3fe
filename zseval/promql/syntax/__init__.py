"""The text of a query: grammar, tree, types, printing."""
