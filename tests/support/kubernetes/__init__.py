"""A real Kubernetes control plane for tests, and Helm: built once from Go modules, kept in the user's cache."""
