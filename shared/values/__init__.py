"""Values of components: how they are merged, compared, and written on a command line. Pure."""
