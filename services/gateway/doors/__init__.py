"""Doors: the HTTP APIs of systems that Belay replaces, each answered at a port of its own as that system did.

A door maps foreign calls to Belay's commands, through `Commands.ask(command, who, key)`, and to the read models of the
gateway. It has no rule of its own, and no table but a map of the integers that its clients want for ids (numbers.py).

A new door is a folder with a README and a `door.py` that makes a `Door` (door.py) of its settings, or None while it is
off, and a line in table.py. `serving.py` does the rest: the port, beside that of the API, the figures, the limit of
requests, and the stop in order are the gateway's. What all doors share is here as well: tokens as Keystone gives them
out (keystone.py), requests and routes (call.py), fields of bodies (fields.py), refusals (errors.py).
"""
