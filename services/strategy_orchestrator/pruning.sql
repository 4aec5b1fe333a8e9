-- name: expire_strategies
-- Ended long ago, and not begun anew since. One that somebody is changing is left for the next time.
with old as materialized (
    select id from strategy
    where deleted_at is null and finished_at < :before and state in ('complete', 'failed', 'aborted')
    order by finished_at limit :limit for update skip locked
)
update strategy set deleted_at = :now, sequence = sequence + 1
where id = any(array(select id from old)) returning id, name, sequence;

-- name: expire_plans
-- Planned long ago, and never applied. One that somebody is changing is left for the next time.
with old as materialized (
    select id from strategy where deleted_at is null and created_at < :before and state in ('waiting', 'ready')
    order by created_at limit :limit for update skip locked
)
update strategy set deleted_at = :now, sequence = sequence + 1
where id = any(array(select id from old)) returning id, name, sequence;

-- name: next_forgotten
-- A strategy that was deleted so long ago; locked, so that two replicas take different ones.
select id from strategy where deleted_at < :before order by deleted_at limit 1 for update skip locked;

-- name: prune_steps
delete from step where strategy_id = :strategy_id and position = any(array(
    select position from step where strategy_id = :strategy_id order by position limit :limit
));

-- name: forget_strategy
-- What has no steps any more.
with catch_ups as (delete from catch_up where strategy_id = :strategy_id),
queues as (delete from group_queue where strategy_id = :strategy_id),
stages as (delete from stage where strategy_id = :strategy_id)
delete from strategy where id = :strategy_id;
