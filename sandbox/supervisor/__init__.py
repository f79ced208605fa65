"""One process that keeps all others of the sandbox, and the client through which everyone asks it."""

ALREADY_RUNNING = 3
"""Exit code of a supervisor that found another one at work in the same FREEHOLD_HOME."""
