create table deployer_host (
    -- What the host of a deployer last said: which drivers it has.
    host text primary key,
    drivers text[] not null, -- none = it does not say
    at timestamptz not null
);
