"""Events for people: learned with the read models, kept in a log, followed by each client's stream."""
