-- name: lock_behaviour
select switches, nth from app_behaviour where app = :app for update;

-- name: put_behaviour
insert into app_behaviour (app, switches, nth) values (:app, :switches::jsonb, :nth)
on conflict (app) do update set switches = excluded.switches, nth = excluded.nth;

-- name: app_known
select exists (select from release where app = :app);

-- name: release_known
select exists (select from release where app = :app and version = :version);

-- name: add_failures
insert into release_failure (app, version, site, operation_id, cause, failed_at)
select * from unnest(:apps::text[], :versions::text[], :sites::text[], :operations::text[], :causes::jsonb[],
    :ats::timestamptz[])
on conflict (app, version, site) do update set operation_id = excluded.operation_id, cause = excluded.cause,
    failed_at = excluded.failed_at;

-- name: clear_failures
delete from release_failure where app = :app and version = :version
    and (cardinality(:sites::text[]) = 0 or site = any(:sites::text[]))
returning site;

-- name: failures_of
select count(*) from release_failure where app = :app and version = :version;

-- name: number_changes
-- Its row is locked by this: who counts later, in a statement of its own, sees what others added and cleared before.
insert into failed_release as f (app, version, nth)
select app, version, 1 from unnest(:apps::text[], :versions::text[]) as n (app, version) order by app, version
on conflict (app, version) do update set nth = f.nth + 1;

-- name: count_failures
select app, version, nth,
    (select count(*) from release_failure r where r.app = f.app and r.version = f.version) as failures,
    coalesce((select jsonb_agg(jsonb_build_object('site', site, 'operation_id', operation_id, 'cause', cause, 'at', failed_at))
        from (select * from release_failure r where r.app = f.app and r.version = f.version
              order by failed_at desc, site limit 20) as newest), '[]') as last
from failed_release f join unnest(:apps::text[], :versions::text[]) as n (app, version) using (app, version)
order by app, version;
