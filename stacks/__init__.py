"""The programs, their configuration and the contract that a platform hands to its tenants."""
