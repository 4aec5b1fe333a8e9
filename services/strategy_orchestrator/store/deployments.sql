-- name: begin_operations
-- One that was told before may have ended since.
update site set operation_id = o.operation_id, told_at = o.at
from unnest(:sites::text[], :operation_ids::text[], :ats::timestamptz[]) as o (site, operation_id, at)
where site.name = o.site and (site.told_at is null or site.told_at < o.at);

-- name: end_operations
-- Single operations that were known to run here; a repeated event finds none.
with ended as (
    update site set operation_id = null, told_at = greatest(site.told_at, o.at)
    from unnest(:sites::text[], :operation_ids::text[], :ats::timestamptz[]) as o (site, operation_id, at)
    where site.name = o.site and site.operation_id = o.operation_id
    returning site.name, o.operation_id
)
select e.operation_id, h.strategy_id as held_by, h.position as held_position
from ended e left join lateral (select strategy_id, position from hold where site = e.name limit 1) h on true;

-- name: find_news
-- Of ends of operations that nobody was told of before, those by which something runs there that is not noted yet.
select n.operation_id
from unnest(:sites::text[], :apps::text[], :operation_ids::text[], :counts::bigint[]) as n (site, app, operation_id, nth)
where (select true from site s where s.name = n.site)
    and n.nth > coalesce((select d.nth from deployment d where d.site = n.site and d.app = n.app), 0);

-- name: put_deployments
-- What runs on each site now, and the next number of its site.state; nothing for an end that came after a later one.
-- Versions hold no spaces, so lists of them travel as words.
insert into deployment as d (site, app, version, status, operation_id, nth, history)
select site, app, version, status, operation_id, nth, string_to_array(coalesce(history, ''), ' ')
from unnest(:sites::text[], :apps::text[], :versions::text[], :statuses::text[], :operation_ids::text[],
    :counts::bigint[], :histories::text[]) as n (site, app, version, status, operation_id, nth, history)
on conflict (site, app) do update set version = excluded.version, status = excluded.status,
    operation_id = excluded.operation_id, nth = excluded.nth, sequence = d.sequence + 1, history = excluded.history
where d.nth <= excluded.nth
returning site, app, sequence;
