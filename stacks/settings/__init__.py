"""The configuration of the programs: what each needs, and what it refuses."""
