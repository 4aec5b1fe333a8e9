"""What is fetched from outside: from where, through which proxy, trusting whom, and what to do where it fails.

Nothing here but `http.py` needs more than the standard library: `make setup` runs it before anything is installed.
"""
