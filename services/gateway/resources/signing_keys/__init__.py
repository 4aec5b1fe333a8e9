"""See services/gateway/resources/__init__.py for what lies in each file."""
