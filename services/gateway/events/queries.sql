-- name: write_events
-- Positions are given out under the lock of the counter's row, which is held until the commit.
with counter as (
    update event_counter set last = last + cardinality(:types::text[]) returning last - cardinality(:types::text[]) as base
)
insert into event_log (position, type, strategy_id, body, at)
select counter.base + e.number, e.type, e.strategy_id, e.body, :now::timestamptz
from counter, unnest(:types::text[], :strategy_ids::text[], :bodies::text[])
    with ordinality as e (type, strategy_id, body, number);

-- name: events_after
-- At most so many, and no further one once there are so many bytes: many clients may read at the same time.
select position, type, strategy_id, body from (
    select found.*, sum(octet_length(body)) over (order by position) - octet_length(body) as bytes_before
    from (
        select position, type, strategy_id, body from event_log
        where position > :after and position <= :up_to
          and (:strategy_id::text is null or strategy_id = :strategy_id)
          and (:types::text[] is null or type = any(:types))
        order by position limit :limit
    ) found
) summed
where bytes_before < :bytes order by position;

-- name: last_position
select last from event_counter;

-- name: first_position
select min(position) from event_log;

-- name: prune_events
-- Always from the lower end, so that what is left has no holes.
delete from event_log where position <= greatest(
    (select last from event_counter) - :keep::bigint,
    (select max(position) from event_log where at < :before)
);
