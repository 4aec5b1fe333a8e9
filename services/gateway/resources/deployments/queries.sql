-- name: list_deployments
select d.site, d.app, d.version, d.status, d.operation_id, d.strategy_id, d.at as updated_at
from deployment d
where (d.site, d.app) > (:after_site, :after_app)
  and (:site::text is null or d.site = :site)
  and (:app::text is null or d.app = :app)
  and (:status::text is null or d.status = :status)
  and (:version::text is null or d.version = :version)
  and not exists (select from site s where s.name = d.site and s.removed)
order by d.site, d.app limit :limit;

-- name: find_deployment
-- As it is, with its last operation that ended and the one that is queued or runs.
select d.site, d.app, d.version, d.status, d.operation_id, d.strategy_id, d.at as updated_at,
    (select o.operation_id from operation o where o.site = :site and o.app = :app and o.state in ('queued', 'running')
     order by o.position desc limit 1) as running
from deployment d
where d.site = :site and d.app = :app and not exists (select from site s where s.name = d.site and s.removed);

-- name: put_deployments
-- An end that comes after a later one of its site changes nothing.
insert into deployment as d (site, app, version, status, operation_id, strategy_id, nth, at)
select n.site, e.app, e.version, e.status, n.operation_id, e.strategy_id, n.nth, e.at
from unnest(:sites::text[], :operation_ids::text[], :counts::bigint[], :lefts::int[])
    as n (site, operation_id, nth, what)
join unnest(:apps::text[], :versions::text[], :statuses::text[], :strategy_ids::text[], :ats::timestamptz[])
    with ordinality as e (app, version, status, strategy_id, at, number) on e.number = n.what
on conflict (site, app) do update set
    version = excluded.version, status = excluded.status, operation_id = excluded.operation_id,
    strategy_id = excluded.strategy_id, nth = excluded.nth, at = excluded.at
where d.nth <= excluded.nth
returning d.operation_id;
