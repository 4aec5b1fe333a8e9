alter table component_revision add column secrets jsonb; -- by name, with which versions of secrets it was deployed; null = with none, or nobody knows
