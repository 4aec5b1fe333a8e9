-- Strategies are tried in rounds; sites that were offline catch up; secrets are known by name.
alter table strategy
    add column round integer not null default 1,
    add column catch_up_until timestamptz,
    add column catch_up_sites integer not null default 0;
create table catch_up (
    strategy_id text not null references strategy (id),
    position integer not null,
    site text not null,
    tries integer not null default 0,
    due_at timestamptz not null,
    primary key (strategy_id, position)
);
create index catch_up_of_site on catch_up (site);
create table secret (
    name text primary key
);
