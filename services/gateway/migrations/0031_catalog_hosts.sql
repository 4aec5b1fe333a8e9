create table host (
    -- What can be installed where, as deployers last said it.
    name text primary key,
    facts jsonb not null,
    at timestamptz not null
);
