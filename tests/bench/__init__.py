"""Speed, measured on everything running: `make bench`."""
