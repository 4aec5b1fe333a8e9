-- name: next_fleet_sequence
-- Also the lock that puts all changes of sites, groups and holds in one order.
update fleet set sequence = sequence + :count::int returning sequence;

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

-- name: upsert_sites
insert into site (name, group_name, labels, driver, params, managed, simplex)
select * from unnest(:names::text[], :groups::text[], :labels::jsonb[], :drivers::text[], :params::jsonb[],
    :managed::boolean[], :simplex::boolean[])
on conflict (name) do update set group_name = excluded.group_name, labels = excluded.labels, driver = excluded.driver,
    params = excluded.params, managed = excluded.managed, simplex = excluded.simplex;

-- name: change_sites
update site s set
    group_name = case when :ungroup::boolean then null else coalesce(:group::text, s.group_name) end,
    labels = (s.labels - :unlabel::text[]) || :labels::jsonb, driver = coalesce(:driver::text, s.driver),
    params = (s.params - :unset_params::text[]) || :params::jsonb,
    managed = coalesce(:managed::boolean, s.managed), simplex = coalesce(:simplex::boolean, s.simplex)
where s.name in (select unnest(:names::text[]))
returning s.name, s.group_name as "group", s.labels, s.driver, s.params, s.managed, s.simplex;

-- name: known_sites
select s.name, s.group_name, holder.name as held_by, s.operation_id
from site s
left join lateral (select strategy_id from hold where site = s.name limit 1) h on true
left join strategy holder on holder.id = h.strategy_id
where s.name = any(:names::text[]);

-- name: names_apart_by_case
select name from site where lower(name) = any(:lowered::text[]);

-- name: delete_sites
delete from site where name = any(:names::text[])
    and name <> all(array(select site from hold where site = any(:names::text[])));

-- name: candidates
-- Every site of a selection, with what runs there: named, of one of the groups, with all the labels; what is empty is
-- open. The caller sees to it that something was asked for at all. Lists are subqueries, which PostgreSQL hashes; as arrays
-- each site would be compared with each of 100,000 names.
-- Holds come and go by the thousands: counted when there were none, PostgreSQL would compare each site with every one.
-- The limit, here and below, makes it look each up by its key.
select s.name, s.group_name, s.labels, s.managed, holder.name as held_by, s.operation_id, d.version, d.previous, d.status,
    d.history, s.driver
from site s
left join lateral (select strategy_id from hold where site = s.name limit 1) h on true
left join strategy holder on holder.id = h.strategy_id
left join deployment d on d.site = s.name and d.app = :app
where (cardinality(:sites::text[]) = 0 or s.name in (select unnest(:sites::text[])))
    and (cardinality(:groups::text[]) = 0 or s.group_name in (select unnest(:groups::text[])))
    and s.labels @> :labels::jsonb
    and s.name not in (select unnest(:not_sites::text[]))
    and (s.group_name is null or s.group_name not in (select unnest(:not_groups::text[])))
    and not exists (select from jsonb_each_text(:not_labels::jsonb) as n where s.labels ->> n.key = n.value)
order by s.name;

-- name: hold_sites
insert into hold (site, strategy_id, position)
select st.site, st.strategy_id, st.position from step st join site s on s.name = st.site
where st.strategy_id = :strategy_id and st.state = 'waiting'
on conflict (site) do nothing
returning site;

-- name: sites_not_held
-- Waiting steps whose site somebody else holds, or that is gone. A set operation, for it is asked when PostgreSQL knows
-- nothing yet of 100,000 rows just written: joined row by row to a table taken for empty they would take hours.
with missing as materialized (
    select position, site from step where strategy_id = :strategy_id and state = 'waiting'
    except select position, site from hold where strategy_id = :strategy_id
    order by position limit 20
)
select m.site, holder.name as held_by
from missing m
left join lateral (select strategy_id from hold where site = m.site limit 1) h on true
left join strategy holder on holder.id = h.strategy_id
order by m.position;

-- name: release_sites
delete from hold where strategy_id = :strategy_id;

-- name: begin_operations
update site set operation_id = o.operation_id
from unnest(:sites::text[], :operation_ids::text[]) as o (site, operation_id) where site.name = o.site;

-- name: end_operations
-- Single operations that were known to run here; a repeated event finds none.
with ended as (
    update site set operation_id = null
    from unnest(:sites::text[], :operation_ids::text[]) as o (site, operation_id)
    where site.name = o.site and site.operation_id = o.operation_id
    returning site.name, o.operation_id
)
select e.operation_id, h.strategy_id as held_by, h.position as held_position
from ended e left join lateral (select strategy_id, position from hold where site = e.name limit 1) h on true;

-- name: put_deployments
-- What runs on each site now, and the next number of its site.state; nothing for an end that came after a later one.
-- Versions hold no spaces, so lists of them travel as words.
insert into deployment as d (site, app, version, status, operation_id, nth, history)
select site, app, version, status, operation_id, nth, string_to_array(history, ' ')
from unnest(:sites::text[], :apps::text[], :versions::text[], :statuses::text[], :operation_ids::text[],
    :counts::bigint[], :histories::text[]) as n (site, app, version, status, operation_id, nth, history)
on conflict (site, app) do update set version = excluded.version, status = excluded.status,
    operation_id = excluded.operation_id, nth = excluded.nth, sequence = d.sequence + 1, history = excluded.history,
    previous = case when excluded.version is distinct from d.version then d.version else d.previous end
where d.nth <= excluded.nth
returning site, app, sequence;

-- name: put_releases
insert into release (app, version, scheme, upgrades_from, drivers)
select app, version, scheme, case when anywhere then null else string_to_array(ranges, '|') end,
    string_to_array(drivers, ' ')
from unnest(:apps::text[], :versions::text[], :schemes::text[], :ranges::text[], :anywhere::boolean[], :drivers::text[])
    as r (app, version, scheme, ranges, anywhere, drivers)
on conflict (app, version) do update set scheme = excluded.scheme, upgrades_from = excluded.upgrades_from,
    drivers = excluded.drivers;

-- name: withdraw_releases
update release r set withdrawn = true
from unnest(:apps::text[], :versions::text[]) as w (app, version) where r.app = w.app and r.version = w.version;

-- name: releases_of
select version, scheme, upgrades_from, drivers, withdrawn from release where app = :app;

-- name: withdrawn_targets
-- Releases that waiting steps of a strategy are to reach and that were withdrawn.
select r.version from strategy s join release r on r.app = s.app and r.withdrawn
where s.id = :strategy_id and (r.version = s.version or (s.version is null and r.version = any(array(
    select distinct target from step where strategy_id = :strategy_id and state = 'waiting'
)))) order by r.version;

-- name: strategies_towards
-- Those that go on by themselves or by a word of somebody, of these apps.
select id from strategy where app = any(:apps::text[]) and state in ('applying', 'paused') order by id;

-- name: find_strategy
-- A name wins over the id of something deleted; ids and names of what lives never meet (clashes).
select id from strategy where id = :reference or (name = :reference and deleted_at is null)
order by deleted_at is not null, id = :reference desc limit 1;

-- name: clashes
-- Strategies that a new one of this name and id would be taken for, or that would be taken for it.
select id, name from strategy
where deleted_at is null and (name = :name or id = :name or name = :id) order by id limit 3;

-- name: lock_in_order
-- All that a transaction speaks of, by id, by name, or because they hold a site: in the order of the ids, so that two
-- transactions never wait for each other.
select groups from strategy where id = any(array(
    select id from strategy where id = any(:references::text[])
    union all select id from strategy where name = any(:references::text[]) and deleted_at is null
    union all select strategy_id from hold where site = any(:sites::text[])
)) order by id for update;

-- name: lock_strategies
select id, name, type, app, version, spec, operation, left_out, skipped, state, ends_as, why_code, why_message, sequence,
    started_at, finished_at, deleted_at, groups
from strategy where id = any(:ids::text[]) order by id for update;

-- name: stages_of
select strategy_id, position, name, state, waiting, running, complete, failed, aborted, parked, full_groups, moved_at, oldest,
    warning, forgiven,
    max_parallel, soak_seconds, soak_until, cursor
from stage where strategy_id = any(:ids::text[]) order by strategy_id, position;

-- name: insert_strategy
insert into strategy (id, name, type, app, version, spec, operation, left_out, state, why_code, why_message, sequence,
    created_by, created_at)
values (:id, :name, :type, :app, :version, :spec, :operation, :left_out, 'ready', :why_code, :why_message, :sequence,
    :created_by, :created_at);

-- name: insert_stages
insert into stage (strategy_id, position, name, state, total, waiting, running, complete, failed, aborted,
    max_parallel, soak_seconds, cursor)
select :strategy_id::text, position, name, 'waiting', sites, sites, 0, 0, 0, 0, max_parallel, soak_seconds, first
from unnest(:positions::int[], :names::text[], :sites::int[], :max_parallels::int[], :soaks::int[], :firsts::int[])
    as s (position, name, sites, max_parallel, soak_seconds, first);

-- name: insert_steps
insert into step (strategy_id, position, stage, site, target, group_name, state)
select :strategy_id::text, position, stage, site, target, group_name, 'waiting'
from unnest(:positions::int[], :stages::int[], :sites::text[], :targets::text[], :groups::text[])
    as s (position, stage, site, target, group_name);

-- name: save_strategies
update strategy s set state = n.state, ends_as = n.ends_as, why_code = n.why_code, why_message = n.why_message,
    sequence = n.sequence, started_at = n.started_at, finished_at = n.finished_at, skipped = n.skipped
from unnest(:ids::text[], :states::text[], :ends_as::text[], :why_codes::text[], :why_messages::text[],
    :sequences::bigint[], :started_at::timestamptz[], :finished_at::timestamptz[], :skipped::int[])
    as n (id, state, ends_as, why_code, why_message, sequence, started_at, finished_at, skipped)
where s.id = n.id;

-- name: save_stages
update stage s set state = n.state, waiting = n.waiting, running = n.running, complete = n.complete,
    failed = n.failed, aborted = n.aborted, parked = n.parked, full_groups = n.full_groups,
    moved_at = n.moved_at, oldest = n.oldest, warning = n.warning, forgiven = n.forgiven, soak_until = n.soak_until,
    cursor = n.cursor
from unnest(:strategy_ids::text[], :positions::int[], :states::text[], :waiting::int[], :running::int[],
    :complete::int[], :failed::int[], :aborted::int[], :parked::int[], :full_groups::text[],
    :moved_at::timestamptz[], :oldest::text[], :warnings::jsonb[], :forgiven::int[], :soak_until::timestamptz[], :cursors::int[])
    as n (strategy_id, position, state, waiting, running, complete, failed, aborted, parked, full_groups, moved_at,
        oldest, warning, forgiven, soak_until, cursor)
where s.strategy_id = n.strategy_id and s.position = n.position;

-- name: start_steps
-- The next waiting steps of a stage get a slot; those whose site became unmanaged are aborted instead.
-- Joined by arrays: right after a plan was inserted PostgreSQL takes the table for empty, and a join would compare
-- every chosen step with every step of the strategy.
with next as materialized (
    select st.position, coalesce(s.managed, false) as managed
    from step st left join site s on s.name = st.site
    where st.strategy_id = :strategy_id and st.stage = :stage and st.position >= :cursor
        and st.state = 'waiting' and not st.parked
    order by st.position limit :count
), unfit as (select array(select position from next where not managed) as positions)
update step st set state = case when st.position = any(unfit.positions) then 'aborted' else 'running' end,
    batch = :batch, started_at = :now,
    why_code = case when st.position = any(unfit.positions) then 'unmanaged' end,
    why_message = case when st.position = any(unfit.positions) then 'the site became unmanaged' end
from unfit where st.strategy_id = :strategy_id and st.position = any(array(select position from next))
returning st.position, st.stage, st.site, st.state, st.attempt, st.why_code, st.why_message, st.target;

-- name: oldest_running
-- Asked only of a stage in which nothing has ended for a while.
select site, started_at from step
where strategy_id = :strategy_id and stage = :stage and state = 'running'
order by started_at nulls first, position limit :limit;

-- name: running_steps
select strategy_id, position, site, attempt from step
where strategy_id = :strategy_id and state = 'running'
    and (cardinality(:sites::text[]) = 0 or site in (select unnest(:sites::text[])))
order by position;

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
update step s set state = f.state, why_code = f.code, why_message = f.message, changed = coalesce(f.changed, s.changed),
    before = case when f.changed is null then s.before else f.before end
from unnest(:strategy_ids::text[], :positions::int[], :attempts::int[], :states::text[], :codes::text[],
    :messages::text[], :befores::text[], :changed::boolean[])
    as f (strategy_id, position, attempt, state, code, message, before, changed)
where s.strategy_id = f.strategy_id and s.position = f.position and s.attempt = f.attempt and s.state = 'running'
returning s.strategy_id, s.position, s.stage, s.site, s.state, s.attempt, s.why_code, s.why_message, s.group_name, s.target;

-- name: park_steps
-- The site cannot change now: it waits again, without a slot. The next attempt is a new command.
update step s set state = 'waiting', parked = true, attempt = s.attempt + 1, why_code = f.code, why_message = f.message
from unnest(:strategy_ids::text[], :positions::int[], :attempts::int[], :codes::text[], :messages::text[])
    as f (strategy_id, position, attempt, code, message)
where s.strategy_id = f.strategy_id and s.position = f.position and s.attempt = f.attempt and s.state = 'running'
returning s.strategy_id, s.position, s.stage, s.site, s.state, s.attempt, s.why_code, s.why_message, s.group_name, s.target;

-- name: unpark_steps
update step s set parked = false, why_code = null, why_message = null
from unnest(:strategy_ids::text[], :positions::int[]) as f (strategy_id, position)
where s.strategy_id = f.strategy_id and s.position = f.position and s.parked
returning s.strategy_id, s.position, s.stage, s.site, s.state, s.attempt, s.why_code, s.why_message, s.group_name, s.target;

-- name: unpark_lagging
-- Steps the deployer refused because it had not heard yet of their site, release or hold; and those whose site was busy
-- with an operation that is not known here: its end may have been told before the refusal. Others wait for that end.
update step s set parked = false, why_code = null, why_message = null
where s.strategy_id = any(:strategy_ids::text[]) and s.parked and (s.why_code <> 'site_busy' or not exists (
    select from site where name = s.site and operation_id is not null
))
returning s.strategy_id, s.position, s.stage, s.site, s.state, s.attempt, s.why_code, s.why_message, s.group_name, s.target;

-- name: abort_steps
update step set state = 'aborted', parked = false, why_code = :code, why_message = :message
where strategy_id = :strategy_id and state = 'waiting'
returning position, stage, site, state, attempt, why_code, why_message, target;

-- name: abort_steps_towards
with towards as materialized (
    select position, parked from step where strategy_id = :strategy_id and state = 'waiting' and target = :version
)
update step s set state = 'aborted', parked = false, why_code = :code, why_message = :message
from towards t where s.strategy_id = :strategy_id and s.position = t.position
returning s.strategy_id, s.position, s.stage, s.site, s.state, s.attempt, s.why_code, s.why_message, s.group_name, s.target,
    t.parked as was_parked;

-- name: skip_removed
-- Waiting steps whose site is gone. Each is looked up by its key, and the steps by position: see sites_not_held.
update step set state = 'aborted', parked = false, why_code = :code, why_message = :message
where strategy_id = :strategy_id and position = any(array(
    select st.position
    from step st left join lateral (select true as known from site where name = st.site limit 1) s on true
    where st.strategy_id = :strategy_id and st.state = 'waiting' and s.known is null
))
returning position, stage, site, state, attempt, why_code, why_message, target;

-- name: changed_by
-- The sites that a strategy left other than it found them: what each had before, and what it was brought to.
select st.site, st.before, coalesce(st.target, s.version) as brought
from strategy s join step st on st.strategy_id = s.id
where s.id = :strategy_id and st.changed order by st.position;

-- name: changed_in_stages
-- The same sites by the stage they stood in, in the order in which they started.
select g.name as stage, st.site from stage g join step st on st.strategy_id = g.strategy_id and st.stage = g.position
where g.strategy_id = :strategy_id and st.changed order by st.position;

-- name: reopen_steps
update step set state = 'waiting', attempt = attempt + 1, parked = false, why_code = null, why_message = null
where strategy_id = :strategy_id and state in ('failed', 'aborted')
returning position, stage, site, state, attempt, why_code, why_message, target;

-- name: delete_strategy
update strategy set deleted_at = :now, sequence = sequence + 1 where id = :id and deleted_at is null returning sequence;

-- name: no_longer_failing
select s.strategy_id, s.position from stage s
where s.warning ->> 'code' = 'failure_rate_high' and (s.strategy_id, s.position) in (
    select * from unnest(:strategy_ids::text[], :positions::int[]));
