-- name: insert_steps
insert into step (strategy_id, position, stage, site, target, group_name, state)
select :strategy_id::text, position, stage, site, target, group_name, 'waiting'
from unnest(:positions::int[], :stages::int[], :sites::text[], :targets::text[], :groups::text[])
    as s (position, stage, site, target, group_name);

-- name: start_steps
-- The next waiting steps of a stage get a slot; those whose site may not be changed now are aborted instead.
-- They are looked for near the cursor, where they nearly always stand, and only then in all that is left: however it
-- comes about, PostgreSQL may read and sort all that it searches, and that for each few steps of 100,000.
-- Sites and steps are looked up one by one, and not joined: right after a plan was inserted PostgreSQL takes the table
-- for empty, and a join would compare every chosen step with every step of the strategy.
with near as materialized (
    select position, site from step
    where strategy_id = :strategy_id and stage = :stage and state = 'waiting' and not blocked
        and position >= :cursor and position < :cursor + greatest(2 * :count, 100)
    order by position limit :count
), far as materialized (
    select position, site from step
    where (select count(*) from near) < :count
        and strategy_id = :strategy_id and stage = :stage and state = 'waiting' and not blocked
        and position >= :cursor + greatest(2 * :count, 100)
    order by position limit :count - (select count(*) from near)
), next as materialized (
    select w.position, case when s.name is null then 'site_removed' when not s.managed then 'unmanaged'
        when s.maintenance then 'in_maintenance' when s.availability = 'offline' then 'offline' end as turned
    from (select * from near union all select * from far) w
    left join lateral (
        select name, managed, maintenance, availability from site where name = w.site limit 1
    ) s on true
), unfit as materialized (
    select array_agg(position) as positions, array_agg(turned) as reasons from next where turned is not null
)
update step st set state = case when st.position = any(unfit.positions) then 'aborted' else 'running' end,
    batch = :batch, started_at = :now,
    why_code = unfit.reasons[array_position(unfit.positions, st.position)],
    why_message = :messages::jsonb ->> unfit.reasons[array_position(unfit.positions, st.position)]
from unfit where st.strategy_id = :strategy_id and st.position = any(array(select position from next))
returning st.strategy_id, st.position, st.stage, st.site, st.state, st.attempt, st.why_code, st.why_message, st.group_name, st.target;

-- name: oldest_running
-- Asked only of a stage in which nothing has ended for a while.
select site, started_at from step
where strategy_id = :strategy_id and stage = :stage and state = 'running'
order by started_at nulls first, position limit :limit;

-- name: running_steps
select st.strategy_id, st.position, st.attempt, st.site, s.name as strategy
from strategy s join step st on st.strategy_id = s.id
where s.id = :strategy_id and st.state = 'running'
    and (cardinality(:sites::text[]) = 0 or st.site in (select unnest(:sites::text[])))
order by st.position;

-- name: still_running
select st.strategy_id, st.position, st.attempt, st.site, s.name as strategy
from step st join unnest(:strategy_ids::text[], :positions::int[], :attempts::int[]) as a (strategy_id, position, attempt)
    on st.strategy_id = a.strategy_id and st.position = a.position and st.attempt = a.attempt
join strategy s on s.id = st.strategy_id
where st.state = 'running';

-- name: steps_of_batches
select s.strategy_id, s.position, s.attempt, s.batch
from step s join unnest(:strategy_ids::text[], :names::text[]) as b (strategy_id, name)
    on s.strategy_id = b.strategy_id and s.batch = b.name
where s.state = 'running';

-- name: finish_steps
-- Guarded by state and attempt: a repeated event, or one of an earlier attempt, moves nothing.
-- `changed` is null where no operation ran: what an earlier attempt did to the site stays true.
-- The planner must not see by what the state is known: it takes running steps for one or none, begins with them, and
-- compares each with each row that is given (`make bench BENCH=profile`: 98 µs a step instead of 7).
update step s set state = f.state, why_code = f.code, why_message = f.message, changed = coalesce(f.changed, s.changed),
    before = case when f.changed is null then s.before else f.before end
from unnest(:strategy_ids::text[], :positions::int[], :attempts::int[], :states::text[], :codes::text[],
    :messages::text[], :befores::text[], :changed::boolean[])
    as f (strategy_id, position, attempt, state, code, message, before, changed)
where s.strategy_id = f.strategy_id and s.position = f.position and s.attempt = f.attempt and s.state || '' = 'running'
returning s.strategy_id, s.position, s.stage, s.site, s.state, s.attempt, s.why_code, s.why_message, s.group_name, s.target;

-- name: block_steps
-- The site cannot change now: it waits again, without a slot. The next attempt is a new command. `state` is hidden from
-- the planner as in finish_steps.
update step s set state = 'waiting', blocked = true, attempt = s.attempt + 1, why_code = f.code, why_message = f.message
from unnest(:strategy_ids::text[], :positions::int[], :attempts::int[], :codes::text[], :messages::text[])
    as f (strategy_id, position, attempt, code, message)
where s.strategy_id = f.strategy_id and s.position = f.position and s.attempt = f.attempt and s.state || '' = 'running'
returning s.strategy_id, s.position, s.stage, s.site, s.state, s.attempt, s.why_code, s.why_message, s.group_name, s.target;

-- name: unblock_steps
update step s set blocked = false, why_code = null, why_message = null
from unnest(:strategy_ids::text[], :positions::int[]) as f (strategy_id, position)
where s.strategy_id = f.strategy_id and s.position = f.position and s.blocked
returning s.strategy_id, s.position, s.stage, s.site, s.state, s.attempt, s.why_code, s.why_message, s.group_name, s.target;

-- name: unblock_lagging
-- Steps the deployer refused because it had not heard yet of their site, release or hold; and those whose site was busy
-- with an operation that is not known here: its end may have been told before the refusal. Others wait for that end.
update step s set blocked = false, why_code = null, why_message = null
where s.strategy_id = any(:strategy_ids::text[]) and s.blocked and (s.why_code <> 'site_busy' or not exists (
    select from site where name = s.site and operation_id is not null
))
returning s.strategy_id, s.position, s.stage, s.site, s.state, s.attempt, s.why_code, s.why_message, s.group_name, s.target;

-- name: abort_steps
update step set state = 'aborted', blocked = false, why_code = :code, why_message = :message
where strategy_id = :strategy_id and state = 'waiting'
returning strategy_id, position, stage, site, state, attempt, why_code, why_message, group_name, target;

-- name: abort_turned
-- Waiting steps of these sites that may not be changed now. Each is looked up by its key: holds come and go.
with turned as materialized (
    select h.strategy_id, h.position, w.blocked, case when s.managed is null then 'site_removed'
        when not s.managed then 'unmanaged' when s.maintenance then 'in_maintenance' else 'offline' end as reason
    from unnest(:sites::text[]) as n (site)
    cross join lateral (select strategy_id, position from hold where site = n.site limit 1) h
    cross join lateral (
        select blocked from step where strategy_id = h.strategy_id and position = h.position and state = 'waiting' limit 1
    ) w
    left join lateral (
        select managed, maintenance, availability from site where name = n.site limit 1
    ) s on true
    where s.managed is not true or s.maintenance or s.availability = 'offline'
)
update step s set state = 'aborted', blocked = false, why_code = t.reason, why_message = :messages::jsonb ->> t.reason
from turned t where s.strategy_id = t.strategy_id and s.position = t.position
returning s.strategy_id, s.position, s.stage, s.site, s.state, s.attempt, s.why_code, s.why_message, s.group_name, s.target,
    t.blocked as was_blocked;

-- name: abort_steps_towards
with towards as materialized (
    select position, blocked from step where strategy_id = :strategy_id and state = 'waiting' and target = :version
)
update step s set state = 'aborted', blocked = false, why_code = :code, why_message = :message
from towards t where s.strategy_id = :strategy_id and s.position = t.position
returning s.strategy_id, s.position, s.stage, s.site, s.state, s.attempt, s.why_code, s.why_message, s.group_name, s.target,
    t.blocked as was_blocked;

-- name: skip_steps
with named as materialized (
    select position, blocked from step
    where strategy_id = :strategy_id and state = 'waiting' and site in (select unnest(:sites::text[]))
)
update step s set state = 'aborted', blocked = false, why_code = :code, why_message = :message
from named n where s.strategy_id = :strategy_id and s.position = n.position
returning s.strategy_id, s.position, s.stage, s.site, s.state, s.attempt, s.why_code, s.why_message, s.group_name, s.target,
    n.blocked as was_blocked;

-- name: states_of
select site, state from step where strategy_id = :strategy_id and site in (select unnest(:sites::text[]));

-- name: skip_removed
-- Waiting steps whose site is gone. Each is looked up by its key, and the steps by position: see sites_not_held.
update step set state = 'aborted', blocked = false, why_code = :code, why_message = :message
where strategy_id = :strategy_id and position = any(array(
    select st.position
    from step st left join lateral (select true as known from site where name = st.site limit 1) s on true
    where st.strategy_id = :strategy_id and st.state = 'waiting' and s.known is null
))
returning strategy_id, position, stage, site, state, attempt, why_code, why_message, group_name, target;

-- name: changed_by
-- The sites that a strategy left other than it found them: what each had before, and what it was brought to.
select st.site, st.before, coalesce(st.target, s.version) as brought
from strategy s join step st on st.strategy_id = s.id
where s.id = :strategy_id and st.changed order by st.position;

-- name: changed_in_stages
-- The same sites by the stage they stood in, in the order in which they started.
select g.name as stage, st.site from stage g join step st on st.strategy_id = g.strategy_id and st.stage = g.position
where g.strategy_id = :strategy_id and st.changed order by st.position;

-- name: count_steps
select stage, count(*) filter (where state = 'waiting') as waiting, count(*) filter (where state = 'running') as running,
    count(*) filter (where state = 'complete') as complete, count(*) filter (where state = 'failed') as failed,
    count(*) filter (where state = 'aborted') as aborted, count(*) filter (where blocked) as blocked,
    coalesce(min(position) filter (where state = 'waiting' and not blocked), max(position) + 1) as first
from step where strategy_id = :strategy_id group by stage;

-- name: reopen_steps
-- What a person skipped is tried again only by name.
with again as materialized (
    select position, state, why_code from step
    where strategy_id = :strategy_id and state in ('failed', 'aborted') and case
        when cardinality(:sites::text[]) = 0 then why_code is distinct from 'skipped'
        else site in (select unnest(:sites::text[])) end
)
update step s set state = 'waiting', attempt = s.attempt + 1, blocked = false, why_code = null, why_message = null
from again a where s.strategy_id = :strategy_id and s.position = a.position
returning s.strategy_id, s.position, s.stage, s.site, s.state, s.attempt, s.why_code, s.why_message, s.group_name, s.target,
    a.state as was_state, a.why_code as was_code;
