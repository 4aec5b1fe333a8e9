-- A beginning that is told again is known by its operation, not by the clocks of those who tell. The last ones of each app and
-- site are known from before.
create table ended_operation (
    id text primary key,
    at timestamptz not null
);
create index ended_operation_by_age on ended_operation (at);
insert into ended_operation (id, at) select distinct operation_id, now() from deployment;
update site set told_at = null where told_at is not null;
