"""How events become read models: one module a resource, each with a function for a batch of events in order.

The folding is pure: of the events of one batch that speak of the same row, the last by stamp is written. The store
then guards each row against what is newer already.
"""
