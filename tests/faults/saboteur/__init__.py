"""A service that takes orders to suffer: the one place where the product is patched."""
