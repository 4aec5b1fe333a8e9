alter table site add column secrets text[] not null default '{}';
create index site_by_secret on site using gin (secrets) where secrets <> '{}';
create table secret (
    name text primary key,
    sealed text check (sealed ~ '^[A-Za-z0-9+/]{64,}={0,2}$'),
    version bigint not null check (version >= 1),
    sequence bigint not null check (sequence >= version),
    changed_at timestamptz not null,
    changed_by text not null
);
