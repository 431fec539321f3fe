"""zseval and the servers it speaks for, side by side: the same data, the same questions, in one run."""
