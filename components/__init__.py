"""Pulumi component resources, one capability a file."""
