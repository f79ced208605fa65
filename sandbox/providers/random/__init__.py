"""Stand-in of the `random` provider: values from the operating system's generator, kept in the state."""
