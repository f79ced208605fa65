"""What the images of our own programs hold, as far as their deployments count on it."""

from __future__ import annotations

AUTHORITY = "/etc/ssl/certs/rds-global-bundle.pem"
"""The authorities that vouch for managed databases."""
