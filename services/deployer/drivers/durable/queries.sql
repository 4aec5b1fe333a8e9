-- name: begin_orders
-- An order begins once, whoever asks.
insert into driver_order (key, driver, site, app, component)
select * from unnest(:keys::text[], :drivers::text[], :sites::text[], :apps::text[], :components::text[])
on conflict (key) do nothing;

-- name: cancel_orders
-- One that no tool has had in its hands has ended with this, and one that was never begun never begins.
insert into driver_order (key, driver, site, app, component, cancelled, result, ended_at)
select n.*, true, :cancelled::jsonb, now()
from unnest(:keys::text[], :drivers::text[], :sites::text[], :apps::text[], :components::text[]) as n
on conflict (key) do update set cancelled = true,
    result = case when driver_order.taken then null else excluded.result end,
    ended_at = case when driver_order.taken then null else excluded.ended_at end
where driver_order.result is null;

-- name: find_orders
-- `last`: nothing was begun at its place since.
select o.key, o.cancelled, o.result, l.nth = o.nth as last
from unnest(:keys::text[]) as n (key) join driver_order o on o.key = n.key
cross join lateral (
    select nth from driver_order p where p.site = o.site and p.app = o.app and p.component = o.component
    order by nth desc limit 1
) l;

-- name: lock_places
-- A lock of this session for the place of each; it falls with the process that holds it.
select key, pg_try_advisory_lock(hashtextextended(current_schema() || '/' || place, 0)) as locked
from unnest(:keys::text[], :places::text[]) as n (key, place);

-- name: unlock_places
select pg_advisory_unlock(hashtextextended(current_schema() || '/' || place, 0)) from unnest(:places::text[]) as n (place);

-- name: take_orders
-- By whoever holds the locks of their places. What was begun there before them and never came to its end has ended now.
with before as (
    update driver_order b set result = :superseded::jsonb, ended_at = now()
    from driver_order o
    where o.key = any(:keys::text[]) and o.result is null and b.result is null
        and b.site = o.site and b.app = o.app and b.component = o.component and b.nth < o.nth
)
update driver_order set taken = true where key = any(:keys::text[]) and result is null
returning key, note, cancelled;

-- name: find_cancelled
select key from driver_order where key = any(:keys::text[]) and cancelled and result is null;

-- name: write_down
update driver_order set note = note || :note::jsonb where key = :key and result is null;

-- name: end_order
update driver_order set result = :result::jsonb, ended_at = now() where key = :key and result is null;
