"""Plans carried out on whole matrices."""
