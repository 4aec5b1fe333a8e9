"""The keeper: a small program that stays with one component of one site and starts it again when it crashes.

It outlives the deployer, and the component outlives it: whoever is killed, the others go on, and a later keeper
takes over the component that it finds. It imports the standard library and psutil alone, so that it starts in
a tenth of a second and a host can bear one for each component.
"""
