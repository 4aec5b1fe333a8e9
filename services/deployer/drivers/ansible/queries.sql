-- name: last_reached
-- The revision that each place reached last; an empty one where its component was removed. No row: never any.
select p.site, p.app, p.component, l.revision
from unnest(:sites::text[], :apps::text[], :components::text[]) as p (site, app, component)
cross join lateral (
    select o.result ->> 'revision' as revision from driver_order o
    where o.site = p.site and o.app = p.app and o.component = p.component and o.driver = 'ansible'
        and o.result ->> 'as' = 'Done' and o.note ->> 'changes' = 'true'
    order by o.nth desc limit 1
) l;

-- name: abandoned_runs
-- Runs of older orders of these places that ended with nobody looking after them.
select p.site, o.note ->> 'run' as run, o.note ->> 'home' as home,
    extract(epoch from now() - o.ended_at)::float8 as seconds
from unnest(:sites::text[], :apps::text[], :components::text[]) as p (site, app, component)
join driver_order o on o.site = p.site and o.app = p.app and o.component = p.component
where o.driver = 'ansible' and o.note ? 'run' and o.result ->> 'code' = 'superseded'
    and o.ended_at > now() - interval '1 day';

-- name: wanted_runs
-- Those that an order which has not ended may still be found by.
select note ->> 'run' as run from driver_order where driver = 'ansible' and result is null and note ? 'run';
