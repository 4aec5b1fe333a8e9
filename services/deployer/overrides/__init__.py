"""What people set over the values of releases, for the fleet, groups and sites."""
