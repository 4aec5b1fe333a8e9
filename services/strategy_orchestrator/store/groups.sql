-- name: groups
select name, description, apply_type, max_parallel from site_group;

-- name: insert_group
insert into site_group (name, description, apply_type, max_parallel)
values (:name, :description, :apply_type, :max_parallel) on conflict do nothing;

-- name: update_group
update site_group set description = coalesce(:description, description), apply_type = coalesce(:apply_type, apply_type),
    max_parallel = coalesce(:max_parallel, max_parallel)
where name = :name returning name, description, apply_type, max_parallel;

-- name: delete_group
delete from site_group where name = :name;

-- name: resize_groups
update site_group g set sites = g.sites + c.change
from unnest(:names::text[], :changes::int[]) as c (name, change) where g.name = c.name;

-- name: count_group_sites
select count(*) from site where group_name = :name;

-- name: lock_groups
-- In the order of their names, after the strategies and before the fleet: so that nobody waits in a circle.
-- Not for update: that would wait for everybody who adds a site to the group.
select name, apply_type, max_parallel, sites, running from site_group
where name = any(:names::text[]) order by name for no key update;

-- name: lock_all_groups
select from site_group order by name for no key update;

-- name: count_running
-- Guarded by the limit: whatever the code above thinks, no more than that begin.
update site_group g set running = greatest(g.running + c.change, 0)
from unnest(:names::text[], :changes::int[], :limits::int[]) as c (name, change, most)
where g.name = c.name and (c.change <= 0 or g.running + c.change <= c.most)
returning g.name;

-- name: recount_running
-- Of all strategies: asked for by a person, once counts were found not to fit.
update site_group g set running = greatest(
    (select count(*) from step where group_name = g.name and state = 'running') - c.pending, 0)
from unnest(:names::text[], :pending::int[]) as c (name, pending) where g.name = c.name;

-- name: regroup_steps
-- Sites may have changed their group since the plan was made; while they are held they cannot.
update step st set group_name = coalesce(s.group_name, '')
from site s where s.name = st.site and st.strategy_id = :strategy_id and st.state = 'waiting'
    and st.group_name is distinct from coalesce(s.group_name, '');

-- name: any_groups
select exists (select from step st join site s on s.name = st.site
    where st.strategy_id = :strategy_id and st.state = 'waiting' and s.group_name is not null) as found;

-- name: drop_queues
delete from group_queue where strategy_id = :strategy_id;

-- name: make_queues
-- Those whose site is busy stand in line from when it is free: then each is counted.
insert into group_queue (strategy_id, stage, group_name, waiting, cursor)
select strategy_id, stage, group_name, count(*) filter (where not blocked), min(position) from step
where strategy_id = :strategy_id and state = 'waiting'
group by strategy_id, stage, group_name;

-- name: keep_groups
update strategy set groups = array(
    select distinct group_name from group_queue where strategy_id = :strategy_id and group_name <> '' order by group_name
) where id = :strategy_id returning groups;

-- name: queues_of
select group_name, waiting, cursor, waits_for_group from group_queue where strategy_id = :strategy_id and stage = :stage
order by cursor;

-- name: save_queues
update group_queue s set waiting = n.waiting, cursor = n.cursor, waits_for_group = n.waits_for_group
from unnest(:groups::text[], :waiting::int[], :cursors::int[], :waits::boolean[])
    as n (group_name, waiting, cursor, waits_for_group)
where s.strategy_id = :strategy_id and s.stage = :stage and s.group_name = n.group_name;

-- name: waiting_for
-- Strategies that wait for a slot in one of these groups.
select distinct strategy_id from group_queue where waits_for_group and group_name = any(:groups::text[]);

-- name: start_steps_of_groups
-- As start_steps, but so many of each group. The index finds those of a group without looking at the others.
with next as materialized (
    select w.position, case when s.name is null then 'site_removed' when not s.managed then 'unmanaged'
        when s.maintenance then 'in_maintenance' when s.availability = 'offline' then 'offline' end as turned
    from unnest(:groups::text[], :cursors::int[], :counts::int[]) as q (group_name, cursor, wanted)
    cross join lateral (
        select position, site from step
        where strategy_id = :strategy_id and stage = :stage and group_name = q.group_name and position >= q.cursor
            and state = 'waiting' and not blocked
        order by position limit q.wanted
    ) w
    left join site s on s.name = w.site
), unfit as materialized (
    select array_agg(position) as positions, array_agg(turned) as reasons from next where turned is not null
)
update step st set state = case when st.position = any(unfit.positions) then 'aborted' else 'running' end,
    batch = :batch, started_at = :now,
    why_code = unfit.reasons[array_position(unfit.positions, st.position)],
    why_message = :messages::jsonb ->> unfit.reasons[array_position(unfit.positions, st.position)]
from unfit where st.strategy_id = :strategy_id and st.position = any(array(select position from next))
returning st.strategy_id, st.position, st.stage, st.site, st.state, st.attempt, st.why_code, st.why_message, st.group_name, st.target;
