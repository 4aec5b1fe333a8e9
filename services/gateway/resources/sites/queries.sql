-- name: put_sites
-- Names of secrets hold no spaces, so lists of them travel as words.
insert into site as s (name, group_name, labels, connections, managed, maintenance, simplex, facts, secrets, removed, seq, at)
select n.name, n.group_name, n.labels, n.connections, n.managed, n.maintenance, n.simplex, n.facts,
       string_to_array(n.secrets, ' '), false, n.seq, n.at
from unnest(:names::text[], :groups::text[], :labels::jsonb[], :connections::jsonb[], :managed::bool[],
            :maintenance::bool[], :simplex::bool[], :facts::jsonb[], :secrets::text[], :seqs::bigint[], :ats::timestamptz[])
    as n (name, group_name, labels, connections, managed, maintenance, simplex, facts, secrets, seq, at)
on conflict (name) do update set
    group_name = excluded.group_name, labels = excluded.labels, connections = excluded.connections,
    managed = excluded.managed, maintenance = excluded.maintenance, simplex = excluded.simplex, facts = excluded.facts,
    secrets = excluded.secrets,
    removed = false, seq = excluded.seq, at = excluded.at
where (s.seq, s.at) <= (excluded.seq, excluded.at);

-- name: remove_sites
update site s set removed = true, seq = r.seq, at = r.at
from unnest(:names::text[], :seqs::bigint[], :ats::timestamptz[]) as r (name, seq, at)
where s.name = r.name and (s.seq, s.at) <= (r.seq, r.at);

-- name: hold_sites
insert into hold as h (site, strategy_id, strategy, seq)
select site, :strategy_id::text, :strategy::text, :seq::bigint from unnest(:names::text[]) as site
on conflict (site) do update set
    strategy_id = excluded.strategy_id, strategy = excluded.strategy, seq = excluded.seq
where h.seq <= excluded.seq;

-- name: release_sites
insert into hold_end as e (strategy_id, seq)
select * from unnest(:strategy_ids::text[], :seqs::bigint[])
on conflict (strategy_id) do update set seq = greatest(e.seq, excluded.seq);

-- name: list_sites
select s.name, s.group_name as "group", s.labels, s.connections, s.managed, s.maintenance, s.simplex,
       coalesce(a.availability, 'unknown') as availability, a.since,
       case when a.availability = 'online' and a.cause is null then greatest(a.seen_at, b.checked_at)
            else a.seen_at end as seen_at,
       greatest(a.checked_at, b.checked_at) as checked_at, a.cause, a.free_bytes, coalesce(a.facts, '{}') || s.facts as facts,
       s.facts as told_facts,
       coalesce(w.alarms, '[]') as alarms,
       case when h.site is not null
            then jsonb_build_object('strategy_id', h.strategy_id, 'strategy', h.strategy) end as held_by,
       coalesce(d.deployments, '[]') as deployments,
       -- A site has one operation at a time, so the newest is the only one that may not have ended.
       coalesce((select o.state in ('queued', 'running') from operation o
                 where o.site = s.name order by o.position desc limit 1), false) as busy
from site s
left join holder h on h.site = s.name
left join site_availability a on a.site = s.name
left join check_bucket b on b.bucket = a.bucket
left join lateral (
    select jsonb_agg(jsonb_build_object(
        'alarm', alarm, 'severity', severity, 'management_affecting', management_affecting, 'text', text,
        'raised_at', raised_at, 'raised_by', raised_by) order by alarm) as alarms
    from alarm where site = s.name and not cleared
) w on true
left join lateral (
    select jsonb_agg(jsonb_build_object('app', app, 'version', version, 'status', status,
                                        'operation_id', operation_id) order by app) as deployments
    from deployment where site = s.name
) d on true
where not s.removed and s.name > :after
  and (:name::text is null or s.name = :name)
  and (:group::text is null or s.group_name = :group)
  and (:labels::jsonb is null or s.labels @> :labels)
  and (:q::text is null or position(:q in s.name) > 0)
  and (:held::bool is null or (h.site is not null) = :held)
  and (:availability::text is null or coalesce(a.availability, 'unknown') = :availability)
  and (:maintenance::bool is null or s.maintenance = :maintenance)
  and (:managed::bool is null or s.managed = :managed)
  and (:alarms::bool is null or (w.alarms is not null) = :alarms)
order by s.name limit :limit;

-- name: known_sites
select name from site where name = any(:names::text[]) and not removed;
