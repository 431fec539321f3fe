"""What ZeroState needs out of the box: its rules and a simulated network to try them on."""
