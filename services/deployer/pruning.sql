-- name: prune_operations
-- Ended so long ago that nobody asks for them again. Of a part of the table: no index says when operations ended, for
-- each of them would have to write it.
delete from operation where ctid >= :first::tid and ctid < :behind::tid and finished_at < :before;

-- name: prune_revisions
-- What is recorded of releases that a site cannot go back to any more: not the one that runs, none of those before it or
-- left half-done there, and no operation under way there. Deployments that somebody holds are left for the next time;
-- where one was changed meanwhile, its lock shows it as it is now, and it stays so until this is done.
with stale as materialized (
    select distinct d.site, d.app
    from deployment d join component_revision r on r.site = d.site and r.app = d.app
    where d.ctid >= :first::tid and d.ctid < :behind::tid
        and r.version is distinct from d.version and r.version <> all(d.history || d.leftovers)
), held as materialized (
    select d.site, d.app, d.version, d.history || d.leftovers as others
    from deployment d where (d.site, d.app) in (select site, app from stale) for update skip locked
), idle as materialized (
    select h.site, h.app, h.version, h.others from held h
    left join lateral (select id from operation where site = h.site and finished_at is null limit 1) o on true
    where o.id is null
)
delete from component_revision r using idle i
where r.site = i.site and r.app = i.app and r.version is distinct from i.version and r.version <> all(i.others);

-- name: prune_orders
-- Ended so long ago that their operations are gone too. Of a part of the table, as with operations. What changed a place
-- last stays, and what came after it: drivers find there what their site can go back to.
delete from driver_order o where ctid >= :first::tid and ctid < :behind::tid and ended_at < :before and exists (
    select from driver_order l
    where l.site = o.site and l.app = o.app and l.component = o.component and l.nth > o.nth
        and l.result ->> 'as' = 'Done' and coalesce(l.note ->> 'changes', 'true') = 'true'
);

-- name: prune_publications
-- Ended so long ago that no command which waits for one can still come. Of a part of the table, as with operations.
delete from publication where ctid >= :first::tid and ctid < :behind::tid and at < :before;

-- name: prune_override_changes
-- What was set so long ago that nobody goes back to it, and of its place so many came after it. What anything runs with, or
-- is to be deployed with, stays however old it is: a way back deploys with the values of then. Of a part of the table.
with old as materialized (
    select c.app, c.level, c.target, c.component, c.nth,
        case c.level when 'group' then 'group:' || c.target else c.level end || '/' || c.component || '/' || c.nth as ref
    from override_change c join override o using (app, level, target, component)
    where c.ctid >= :first::tid and c.ctid < :behind::tid and c.at < :before::timestamptz and c.nth <= o.nth - :keep::bigint
), named as materialized (
    select d.app, d.site, u.ref
    from deployment d, jsonb_each(d.overrides) as e, jsonb_array_elements_text(e.value) as u (ref)
    where d.overrides is not null and d.app in (select app from old)
    union
    select w.app, w.site, u.ref
    from operation w,
        jsonb_array_elements_text(coalesce(w.terms -> 'used', '[]') || coalesce(w.terms -> 'dropped', '[]')) as u (ref)
    where w.finished_at is null and w.terms is not null and w.app in (select app from old)
)
delete from override_change c using old
where (c.app, c.level, c.target, c.component, c.nth) = (old.app, old.level, old.target, old.component, old.nth)
    and not exists (
        select from named n
        where n.app = old.app and (old.level <> 'site' or n.site = old.target)
            and old.ref = split_part(n.ref, '/', 1) || '/' || split_part(n.ref, '/', 2) || '/' || split_part(n.ref, '/', 3)
    );
