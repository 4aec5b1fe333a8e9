"""Commands on their way: sent once for their key, many at a time, and their answers waited for."""
