-- name: note
-- The steps that ended because their site was offline, once their strategy has ended; those of another run that did
-- something else since are forgotten. Each further try waits twice as long.
with offline as materialized (
    select position, site from step
    where strategy_id = :strategy_id and state in ('failed', 'aborted') and why_code in (select unnest(:codes::text[]))
), gone as (
    delete from catch_up where strategy_id = :strategy_id and position not in (select position from offline)
)
insert into catch_up as c (strategy_id, position, site, due_at)
select :strategy_id::text, position, site, :now::timestamptz + :pause::interval from offline
on conflict (strategy_id, position) do update set due_at = :now::timestamptz + :pause::interval * power(2, c.tries);

-- name: outstanding
select count(*) from catch_up where strategy_id = :strategy_id and tries < :most;

-- name: failed_otherwise
select count(*) from step
where strategy_id = :strategy_id and state = 'failed' and why_code not in (select unnest(:codes::text[]));

-- name: reopen_back
-- Steps whose site is back, and that nobody else holds, wait again.
with back as materialized (
    select c.position, st.state, st.why_code
    from catch_up c
    cross join lateral (
        select from site where name = c.site and managed and not maintenance and availability <> 'offline' limit 1
    ) s
    cross join lateral (
        select state, why_code from step
        where strategy_id = c.strategy_id and position = c.position and state in ('failed', 'aborted') limit 1
    ) st
    left join lateral (select true as held from hold where site = c.site limit 1) h on true
    where c.strategy_id = :strategy_id and c.tries < :most and c.due_at <= :now and h.held is null
), tried as (
    update catch_up c set tries = c.tries + 1 from back b where c.strategy_id = :strategy_id and c.position = b.position
)
update step s set state = 'waiting', attempt = s.attempt + 1, blocked = false, why_code = null, why_message = null
from back b where s.strategy_id = :strategy_id and s.position = b.position
returning s.strategy_id, s.position, s.stage, s.site, s.state, s.attempt, s.why_code, s.why_message, s.group_name, s.target,
    b.state as was_state, b.why_code as was_code;

-- name: next_due
-- When to look again at those whose site is back already.
select min(c.due_at) from catch_up c
cross join lateral (
    select from site where name = c.site and managed and not maintenance and availability <> 'offline' limit 1
) s
where c.strategy_id = :strategy_id and c.tries < :most and c.due_at > :now;

-- name: waited_for
-- The strategies that wait for one of these sites to be back.
select distinct c.strategy_id from catch_up c
cross join lateral (
    select from site where name = c.site and managed and not maintenance and availability <> 'offline' limit 1
) s
where c.site in (select unnest(:sites::text[])) and c.tries < :most;

-- name: forget
delete from catch_up where strategy_id = :strategy_id;
