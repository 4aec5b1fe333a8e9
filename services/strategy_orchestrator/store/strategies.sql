-- name: strategies_towards
-- Those that go on by themselves or by a word of somebody, of these apps.
select id from strategy where app = any(:apps::text[]) and state in ('applying', 'paused', 'needs_inspection') order by id;

-- name: live
select id from strategy where state in ('applying', 'paused', 'aborting', 'needs_inspection') order by id;

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
    started_at, finished_at, deleted_at, groups, round, catch_up_until, catch_up_sites, publication, begins, created_by, created_at
from strategy where id = any(:ids::text[]) order by id for update;

-- name: stages_of
select strategy_id, position, name, state, waiting, running, complete, failed, aborted, blocked, why_code, why_message, moved_at, oldest,
    warning, accepted_failures,
    max_parallel, soak_seconds, soak_until, cursor
from stage where strategy_id = any(:ids::text[]) order by strategy_id, position;

-- name: insert_strategy
insert into strategy (id, name, type, app, version, spec, operation, left_out, state, publication, why_code, why_message,
    sequence, created_by, created_at)
values (:id, :name, :type, :app, :version, :spec, :operation, :left_out, :state, :publication, :why_code, :why_message,
    :sequence, :created_by, :created_at);

-- name: insert_stages
insert into stage (strategy_id, position, name, state, total, waiting, running, complete, failed, aborted,
    max_parallel, soak_seconds, cursor, why_code, why_message)
select :strategy_id::text, position, name, 'waiting', sites, sites, 0, 0, 0, 0, max_parallel, soak_seconds, first,
    :why_code, :why_message
from unnest(:positions::int[], :names::text[], :sites::int[], :max_parallels::int[], :soaks::int[], :firsts::int[])
    as s (position, name, sites, max_parallel, soak_seconds, first);

-- name: save_strategies
update strategy s set state = n.state, ends_as = n.ends_as, why_code = n.why_code, why_message = n.why_message,
    sequence = n.sequence, started_at = n.started_at, finished_at = n.finished_at, skipped = n.skipped, round = n.round,
    catch_up_until = n.catch_up_until, catch_up_sites = n.catch_up_sites, begins = n.begins
from unnest(:ids::text[], :states::text[], :ends_as::text[], :why_codes::text[], :why_messages::text[],
    :sequences::bigint[], :started_at::timestamptz[], :finished_at::timestamptz[], :skipped::int[], :rounds::int[],
    :catch_ups::timestamptz[], :catch_up_sites::int[], :begins::text[])
    as n (id, state, ends_as, why_code, why_message, sequence, started_at, finished_at, skipped, round, catch_up_until,
        catch_up_sites, begins)
where s.id = n.id;

-- name: save_stages
update stage s set state = n.state, waiting = n.waiting, running = n.running, complete = n.complete,
    failed = n.failed, aborted = n.aborted, blocked = n.blocked, why_code = n.why_code, why_message = n.why_message,
    moved_at = n.moved_at, oldest = n.oldest, warning = n.warning, accepted_failures = n.accepted_failures, soak_until = n.soak_until,
    cursor = n.cursor
from unnest(:strategy_ids::text[], :positions::int[], :states::text[], :waiting::int[], :running::int[],
    :complete::int[], :failed::int[], :aborted::int[], :blocked::int[], :why_codes::text[], :why_messages::text[],
    :moved_at::timestamptz[], :oldest::text[], :warnings::jsonb[], :accepted_failures::int[], :soak_until::timestamptz[], :cursors::int[])
    as n (strategy_id, position, state, waiting, running, complete, failed, aborted, blocked, why_code, why_message, moved_at,
        oldest, warning, accepted_failures, soak_until, cursor)
where s.strategy_id = n.strategy_id and s.position = n.position;

-- name: delete_strategy
update strategy set deleted_at = :now where id = :id and deleted_at is null;

-- name: no_longer_failing
select s.strategy_id, s.position from stage s
where s.warning ->> 'code' = 'failure_rate_high' and (s.strategy_id, s.position) in (
    select * from unnest(:strategy_ids::text[], :positions::int[]));
