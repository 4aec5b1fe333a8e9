-- name: list_deployments
select d.* from deployment_now d
where (d.site, d.app) > (:after_site, :after_app)
  and (:site::text is null or d.site = :site)
  and (:app::text is null or d.app = :app)
  and (:status::text is null or d.status = :status)
  and (:version::text is null or d.version = :version)
order by d.site, d.app limit :limit;

-- name: list_changed_deployments
-- The same of those that name other changes than those of now: what is set is gathered once a level, not for each.
with fleet as (
    select app, array_agg('fleet/' || component || '/' || nth order by component) as refs
    from override where level = 'fleet' group by app
), grouped as (
    select app, target, array_agg('group:' || target || '/' || component || '/' || nth order by component) as refs
    from override where level = 'group' group by app, target
), own as (
    select app, target, array_agg('site/' || component || '/' || nth order by component) as refs
    from override where level = 'site' group by app, target
)
select d.site, d.app, d.version, d.status, d.operation_id, d.strategy_id, d.at as updated_at, d.overrides, n.set_now,
    d.secrets
from deployment d
left join site s on s.name = d.site
left join fleet f on f.app = d.app
left join grouped g on g.app = d.app and g.target = s.group_name
left join own o on o.app = d.app and o.target = d.site
cross join lateral (select coalesce(f.refs, '{}') || coalesce(g.refs, '{}') || coalesce(o.refs, '{}') as set_now) n
where n.set_now <> coalesce(d.overrides, '{}') and s.removed is not true and (d.site, d.app) > (:after_site, :after_app)
  and (:site::text is null or d.site = :site)
  and (:app::text is null or d.app = :app)
  and (:status::text is null or d.status = :status)
  and (:version::text is null or d.version = :version)
order by d.site, d.app limit :limit;

-- name: list_rotated_deployments
-- The same of those that were deployed with other versions of secrets than there are now.
select d.* from deployment_now d
where d.secrets is not null
  and exists (
    select from jsonb_each(d.secrets) as k (name, version) join secret s on s.name = k.name
    where s.version <> k.version::bigint and not s.removed
  )
  and (d.site, d.app) > (:after_site, :after_app)
  and (:site::text is null or d.site = :site)
  and (:app::text is null or d.app = :app)
  and (:status::text is null or d.status = :status)
  and (:version::text is null or d.version = :version)
order by d.site, d.app limit :limit;

-- name: find_deployment
-- As it is, with its last operation that ended and the one that is queued or runs. While the first one runs, nothing
-- else is known of it: it is `new`.
select d.*,
    (select o.operation_id from operation o where o.site = :site and o.app = :app and o.state in ('queued', 'running')
     order by o.position desc limit 1) as running
from (
    select * from deployment_now where site = :site and app = :app
    union all
    (select o.site, o.app, null, 'new', null, o.strategy_id, o.at, null, null, null from operation o
     where o.site = :site and o.app = :app and o.state in ('queued', 'running')
         and not exists (select from deployment e where e.site = :site and e.app = :app)
         and not exists (select from site s where s.name = o.site and s.removed)
     order by o.position desc limit 1)
) d;

-- name: put_deployments
-- An end that comes after a later one of its site changes nothing.
insert into deployment as d (site, app, version, status, operation_id, strategy_id, nth, at, overrides, secrets)
select n.site, e.app, e.version, e.status, n.operation_id, e.strategy_id, n.nth, e.at, string_to_array(e.overrides, ' '),
    e.secrets::jsonb
from unnest(:sites::text[], :operation_ids::text[], :counts::bigint[], :lefts::int[])
    as n (site, operation_id, nth, what)
join unnest(:apps::text[], :versions::text[], :statuses::text[], :strategy_ids::text[], :ats::timestamptz[],
    :overrides::text[], :secrets::text[])
    with ordinality as e (app, version, status, strategy_id, at, overrides, secrets, number) on e.number = n.what
order by n.site, e.app -- in one order in all replicas: the ends of a strategy and of its undo meet on the same sites
on conflict (site, app) do update set
    version = excluded.version, status = excluded.status, operation_id = excluded.operation_id,
    strategy_id = excluded.strategy_id, nth = excluded.nth, at = excluded.at,
    overrides = excluded.overrides, secrets = excluded.secrets
where d.nth <= excluded.nth
returning d.operation_id;
