"""The nouns of the command line, one file each: what can be asked of it, how it is shown. Rules are the services'."""
