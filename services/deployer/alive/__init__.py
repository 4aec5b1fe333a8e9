"""Whether sites answer: asked by their drivers all the time, told when it changes."""
