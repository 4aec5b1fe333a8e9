"""The gateway's queries: one module and one .sql file of the same name for each part of its tables."""
