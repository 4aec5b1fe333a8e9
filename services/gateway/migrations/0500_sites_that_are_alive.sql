alter table site add column maintenance boolean not null default false;
create table site_availability (
    site text primary key,
    availability text not null,
    since timestamptz not null,
    seen_at timestamptz,
    checked_at timestamptz,
    cause jsonb,
    free_bytes bigint,
    facts jsonb not null,
    bucket integer not null,
    nth bigint not null
);
create index site_not_online on site_availability (site) where availability <> 'online';
create table check_bucket (
    bucket integer primary key,
    checked_at timestamptz not null
);
create table alarm (
    site text not null,
    alarm text not null,
    severity text not null,
    management_affecting boolean not null,
    text text not null,
    raised_at timestamptz not null,
    raised_by text not null,
    cleared boolean not null default false,
    seq bigint not null,
    primary key (site, alarm)
);
create index alarm_raised on alarm (site) where not cleared;
