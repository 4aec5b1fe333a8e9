"""The driver `container`: containers of Docker or Podman, by the Docker Engine API."""
