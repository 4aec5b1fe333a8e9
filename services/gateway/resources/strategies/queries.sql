-- name: plan_strategies
-- Progress may be known before the plan (events that were read again): then only the plan is added. What waited for its
-- release is planned a second time, and what was said of it before may be told again.
insert into strategy as s (strategy_id, name, spec, state, excluded, excluded_count, targets, created_at, plan_seq)
select n.strategy_id, n.name, n.spec::jsonb, 'ready', n.excluded::jsonb, n.excluded_count, n.targets::jsonb, n.created_at, n.seq
from unnest(:ids::text[], :names::text[], :specs::text[], :excluded::text[], :excluded_counts::int[], :targets::text[],
            :created::timestamptz[], :seqs::bigint[])
    as n (strategy_id, name, spec, excluded, excluded_count, targets, created_at, seq)
on conflict (strategy_id) do update set
    spec = excluded.spec, excluded = excluded.excluded, excluded_count = excluded.excluded_count,
    targets = excluded.targets, created_at = excluded.created_at, plan_seq = excluded.plan_seq
where s.plan_seq <= excluded.plan_seq;

-- name: plan_stages
insert into stage as s (strategy_id, position, name, state, waiting, max_parallel, soak_seconds, spread, spread_more, at)
select n.strategy_id, n.position, n.name, 'waiting', n.sites, n.max_parallel, n.soak_seconds, n.spread::jsonb,
       n.spread_more, n.at
from unnest(:ids::text[], :positions::int[], :names::text[], :sites::int[], :max_parallels::int[],
            :soaks::int[], :spreads::text[], :spread_mores::int[], :ats::timestamptz[])
    as n (strategy_id, position, name, sites, max_parallel, soak_seconds, spread, spread_more, at)
on conflict (strategy_id, position) do update set
    soak_seconds = excluded.soak_seconds, spread = excluded.spread, spread_more = excluded.spread_more;

-- name: move_strategies
insert into strategy as s (strategy_id, name, state, why, actions, created_at, started_at, finished_at, seq)
select n.strategy_id, n.name, n.state, n.why, n.actions::jsonb, n.at, n.started_at,
       case when n.state in ('complete', 'failed', 'aborted') then n.at end, n.seq
from unnest(:ids::text[], :names::text[], :states::text[], :whys::jsonb[], :actions::text[], :ats::timestamptz[],
            :started::timestamptz[], :seqs::bigint[]) as n (strategy_id, name, state, why, actions, at, started_at, seq)
on conflict (strategy_id) do update set
    state = excluded.state, why = excluded.why, actions = excluded.actions, started_at = coalesce(s.started_at, excluded.started_at),
    finished_at = excluded.finished_at, seq = excluded.seq
where s.seq <= excluded.seq;

-- name: delete_strategies
update strategy set deleted = true where strategy_id = any(:ids::text[]);

-- name: find_stages
select s.strategy_id, s.position, s.state, s.seq
from stage s join unnest(:ids::text[], :positions::int[]) as w (strategy_id, position) using (strategy_id, position);

-- name: move_stages
insert into stage as s (strategy_id, position, name, state, waiting, running, complete, failed, aborted, max_parallel,
                        why, warning, seq, at)
select * from unnest(:ids::text[], :positions::int[], :names::text[], :states::text[], :waiting::int[],
                     :running::int[], :complete::int[], :failed::int[], :aborted::int[], :max_parallels::int[],
                     :whys::jsonb[], :warnings::jsonb[], :seqs::bigint[], :ats::timestamptz[])
on conflict (strategy_id, position) do update set
    state = excluded.state, waiting = excluded.waiting, running = excluded.running, complete = excluded.complete,
    failed = excluded.failed, aborted = excluded.aborted, max_parallel = excluded.max_parallel, why = excluded.why,
    warning = excluded.warning, seq = excluded.seq, at = excluded.at
where (s.seq, s.at) <= (excluded.seq, excluded.at);

-- name: move_steps
-- One upsert: an update of those that are there, then an insert of the rest, costs more.
insert into step as s (strategy_id, site, stage, state, attempt, operation_id, why, target, seq, at)
select m.strategy_id, n.site, m.stage, m.state, m.attempt, n.operation_id, m.why::jsonb, m.target, m.seq, m.at
from unnest(:sites::text[], :operation_ids::text[], :moves::int[]) as n (site, operation_id, move)
join unnest(:ids::text[], :stages::int[], :states::text[], :attempts::int[], :whys::text[], :targets::text[],
            :seqs::bigint[], :ats::timestamptz[]) with ordinality
    as m (strategy_id, stage, state, attempt, why, target, seq, at, number) on m.number = n.move
on conflict (strategy_id, stage, site) do update set
    state = excluded.state, attempt = excluded.attempt, operation_id = excluded.operation_id, why = excluded.why,
    target = excluded.target, seq = excluded.seq, at = excluded.at
where (s.seq, s.at) <= (excluded.seq, excluded.at);

-- name: add_to_timeline
insert into timeline (entry_id, strategy_id, at, kind, code, message, stage)
select n.entry_id, n.strategy_id, n.at, n.kind, n.code, n.message, n.stage
from unnest(:entry_ids::text[], :ids::text[], :ats::timestamptz[], :kinds::text[], :codes::text[], :messages::text[],
            :stages::int[]) with ordinality as n (entry_id, strategy_id, at, kind, code, message, stage, number)
order by n.number
on conflict (entry_id) do nothing;

-- name: put_forecasts
insert into forecast as f (strategy_id, stage, failure_rate, eta_low, eta_high, overdue, at)
select * from unnest(:ids::text[], :stages::int[], :rates::float8[], :lows::timestamptz[], :highs::timestamptz[],
                     :overdues::boolean[], :ats::timestamptz[])
on conflict (strategy_id, stage) do update set
    failure_rate = excluded.failure_rate, eta_low = excluded.eta_low, eta_high = excluded.eta_high, overdue = excluded.overdue,
    at = excluded.at
where f.at <= excluded.at;

-- name: list_strategies
select strategy_id, name, spec, state, why, excluded, excluded_count, targets, created_at, started_at, finished_at,
    deleted, actions
from strategy
where (created_at, strategy_id) < (:before_at, :before_id)
  and (:state::text is null or state = :state)
  and (not deleted or :deleted)
order by created_at desc, strategy_id desc limit :limit;

-- name: find_strategy
-- By id, or by the name of the one that is not deleted; a name wins over the id of something deleted.
select strategy_id, name, spec, state, why, excluded, excluded_count, targets, created_at, started_at, finished_at,
    deleted, actions
from strategy where strategy_id = :key or (name = :key and not deleted)
order by deleted, strategy_id = :key desc, created_at desc limit 1;

-- name: known_strategies
select strategy_id from strategy where strategy_id = any(:ids::text[]);

-- name: stages_of
select s.strategy_id, s.position, s.name, s.state, s.max_parallel, s.soak_seconds, s.why,
       s.warning, s.spread, s.spread_more, s.waiting, s.running, s.complete, s.failed, s.aborted,
       case when s.state in ('running', 'soaking') and f.at is not null
            then jsonb_build_object('failure_rate', f.failure_rate,
                'eta_low', case when f.eta_high > now() then greatest(f.eta_low, now()) end,
                'eta_high', case when f.eta_high > now() then f.eta_high end,
                'overdue', s.running > 0 and (f.overdue or coalesce(f.eta_high <= now(), false)))
       end as forecast
from stage s left join forecast f on f.strategy_id = s.strategy_id and f.stage = s.position
where s.strategy_id = any(:ids::text[]) order by s.strategy_id, s.position;

-- name: list_steps
-- A step that waits for no reason of its own waits for that of its stage.
select p.site, p.stage, p.state, p.attempt, p.operation_id, p.target, p.at as updated_at,
       coalesce(p.why, case when p.state = 'waiting' then s.why end) as why
from step p left join stage s on s.strategy_id = p.strategy_id and s.position = p.stage
where p.strategy_id = :strategy_id
  and (p.stage, p.site) > (:after_stage::bigint, :after_site)
  and (:stage::int is null or p.stage = :stage)
  and (:state::text is null or p.state = :state)
order by p.stage, p.site limit :limit;

-- name: find_step
select p.site, p.stage, p.state, p.attempt, p.operation_id, p.target, p.at as updated_at,
       coalesce(p.why, case when p.state = 'waiting' then s.why end) as why
from stage s join step p on p.strategy_id = s.strategy_id and p.stage = s.position
where s.strategy_id = :strategy_id and p.site = :site;

-- name: attempts_of
-- The operations of a step, as the index has them: by site. An attempt that was refused had none.
select operation_id, state, phase, percent, cause, last_lines, requested_at as started_at, finished_at, seconds
from operation where site = :site and strategy_id = :strategy_id order by position limit :limit;

-- name: list_timeline
select position, at, kind, code, message, stage from timeline
where strategy_id = :strategy_id and position > :after order by position limit :limit;

-- name: next_forgotten
-- One that was deleted so long ago, by its own timeline. Locked, so that two replicas take different ones.
select s.strategy_id from strategy s where s.deleted and exists (
    select from timeline t where t.strategy_id = s.strategy_id and t.code = 'deleted' and t.at < :before
) limit 1 for update of s skip locked;

-- name: prune_steps
delete from step where ctid = any(array(select ctid from step where strategy_id = :strategy_id limit :limit));

-- name: prune_timeline
-- The word that it was deleted stays to the end: by it the strategy is found.
delete from timeline where position = any(array(
    select position from timeline where strategy_id = :strategy_id and code <> 'deleted' order by position limit :limit
));

-- name: forget_strategy
-- What has no steps any more.
with told as (delete from timeline where strategy_id = :strategy_id),
forecasts as (delete from forecast where strategy_id = :strategy_id),
stages as (delete from stage where strategy_id = :strategy_id)
delete from strategy where strategy_id = :strategy_id;
