"""The columnar ring: where samples are kept and selected from."""
