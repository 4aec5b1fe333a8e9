"""Several operations on one site, one after the other: all its apps brought up to date, or what one needs before it."""
