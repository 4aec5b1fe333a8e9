alter table site
    add column maintenance boolean not null default false,
    add column alarms integer not null default 0 check (alarms >= 0),
    add column availability text not null default 'unknown' check (availability in ('online', 'offline', 'unknown')),
    add column since timestamptz,
    add column seen_at timestamptz,
    add column cause text,
    add column nth bigint not null default 0,
    add constraint what_is_offline_has_a_cause check (availability <> 'offline' or cause is not null);
create table alarm (
    site text not null references site (name) on delete cascade,
    alarm text not null,
    severity text not null check (severity in ('critical', 'major', 'minor', 'warning')),
    management_affecting boolean not null,
    text text not null,
    raised_at timestamptz not null,
    raised_by text not null,
    primary key (site, alarm)
);
