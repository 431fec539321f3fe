"""Rules: recording and alerting, as data, as a state machine, and one group evaluated at one time."""
