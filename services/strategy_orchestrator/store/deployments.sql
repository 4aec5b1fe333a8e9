-- name: begin_operations
-- One that is told again may have ended since. Times do not say so: each deployer tells that of its own clock.
-- Sites are locked by their names' order, here and below: who tells of availability or alarms locks them so, too.
with locked as materialized (
    select name from site where name = any(:sites::text[]) order by name for no key update
)
update site set operation_id = o.operation_id
from unnest(:sites::text[], :operation_ids::text[]) as o (site, operation_id)
where site.name = o.site and site.name = any(array(select name from locked)) and not exists (select from ended_operation e where e.id = o.operation_id);

-- name: end_operations
-- Single operations that were known to run here; a repeated event finds none.
with told as (
    insert into ended_operation (id, at) select id, :now::timestamptz from unnest(:operation_ids::text[]) as o (id) order by id
    on conflict (id) do nothing
), locked as materialized (
    select name from site where name = any(:sites::text[]) order by name for no key update
), ended as (
    update site set operation_id = null
    from unnest(:sites::text[], :operation_ids::text[]) as o (site, operation_id)
    where site.name = o.site and site.name = any(array(select name from locked)) and site.operation_id = o.operation_id
    returning site.name, o.operation_id
)
select e.operation_id, h.strategy_id as held_by, h.position as held_position
from ended e left join lateral (select strategy_id, position from hold where site = e.name limit 1) h on true;

-- name: prune_ended
delete from ended_operation where id = any(array(select id from ended_operation where at < :before order by at limit :limit));

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
