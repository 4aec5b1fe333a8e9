"""Commands on their way, whatever they came by: no HTTP here. ask.py is where it begins."""
