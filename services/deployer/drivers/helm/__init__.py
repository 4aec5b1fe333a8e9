"""The helm driver: components as releases of Helm in Kubernetes clusters; see README.md."""
