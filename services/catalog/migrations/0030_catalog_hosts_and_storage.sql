alter table bundle
    add column stored_since timestamptz,
    add column unneeded_at timestamptz,
    add column freed_at timestamptz,
    add constraint bundle_check2 check (unneeded_at is null or state = 'withdrawn'),
    add constraint freed_when_nobody_needs_it check (
        freed_at is null or state = 'rejected' or (state = 'withdrawn' and unneeded_at is not null)
    );

create table host (
    name text primary key,
    facts jsonb not null,
    heard_at timestamptz not null
);

create table storage (
    one boolean primary key default true check (one),
    sequence bigint not null default 0,
    told jsonb not null default '{}'
);
insert into storage default values;
