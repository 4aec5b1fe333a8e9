create table prestaged (
    site text not null,
    app text not null,
    nth bigint not null,
    releases jsonb not null,
    at timestamptz not null,
    primary key (site, app)
);
alter table operation add column fetched_bytes bigint;
