"""What drivers of foreign tools share: orders that are kept in the deployer's database, and carried out by a tool.

`tool.py` is what a driver brings, `driver.py` all the rest: an order is begun once over all replicas, found again when
its deployer died, cancelled by any of them, and one component of a site is changed by one order at a time.
"""
