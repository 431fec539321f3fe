"""Remote write, the receiving side: what other servers push, protocols 1.0 and 2.0, into the store."""
