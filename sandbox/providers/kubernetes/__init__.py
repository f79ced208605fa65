"""The Kubernetes stand-in: every kind that the API server knows, by discovery and server-side apply."""
