"""The components that are the same on any Kubernetes cluster."""
