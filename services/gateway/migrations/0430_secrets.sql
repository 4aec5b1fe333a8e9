alter table site add column secrets text[] not null default '{}';
create index site_by_secret on site using gin (secrets) where secrets <> '{}';
create table secret (
    name text primary key,
    version bigint not null,
    set_at timestamptz not null,
    set_by text not null,
    removed boolean not null default false,
    seq bigint not null
);
create table sealing_key (
    owner text primary key,
    public_key text not null,
    at timestamptz not null
);
