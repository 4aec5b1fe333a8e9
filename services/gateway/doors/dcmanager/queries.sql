-- name: newest_strategy
select s.strategy_id, s.name, s.spec, s.state, s.why, s.created_at, s.started_at, s.finished_at,
       (select coalesce(sum(waiting + running + complete + failed + aborted), 0) from stage
        where strategy_id = s.strategy_id) as sites
from strategy s
where not s.deleted and s.spec ->> 'app' = :app and s.spec ->> 'type' = any(:types::text[])
order by s.created_at desc, s.strategy_id desc limit 1;

-- name: find_strategy
select s.strategy_id, s.name, s.spec, s.state, s.why, s.created_at, s.started_at, s.finished_at,
       (select coalesce(sum(waiting + running + complete + failed + aborted), 0) from stage
        where strategy_id = s.strategy_id) as sites
from strategy s where s.strategy_id = :strategy_id;

-- name: moved
-- Whether a strategy is no more in the state that somebody saw.
select not exists (select from strategy where strategy_id = :strategy_id and state = :state and not deleted);

-- name: leaves_out
-- Whether a strategy leaves out a site for this reason.
select exists (
    select from strategy s, jsonb_array_elements(s.excluded) e where s.strategy_id = :strategy_id and e ->> 'code' = :code
);

-- name: is_prepared
select exists (select from preparation where app = :app and version = :version and state = 'prepared');

-- name: list_steps
select p.site, p.state, p.at, p.operation_id, coalesce(p.why, case when p.state = 'waiting' then s.why end) as why
from step p
left join stage s on s.strategy_id = p.strategy_id and s.position = p.stage
where p.strategy_id = :strategy_id and (:site::text is null or p.site = :site)
order by p.stage, p.site;

-- name: operations
select operation_id, state, phase, requested_at, finished_at, cause from operation where operation_id = any(:ids::text[]);

-- name: apps
select distinct app from release order by app;

-- name: versions
select version, scheme from release where app = :app and state = 'available' order by published_at, version;

-- name: list_subclouds
select s.name, s.group_name, s.labels, s.managed, s.at, d.version, d.status, d.operation_id,
       coalesce(a.availability, 'unknown') as availability, coalesce(r.releases, '[]') as lying, p.state as prestage_state
from site s
left join deployment d on d.site = s.name and d.app = :app
left join site_availability a on a.site = s.name
left join prestaged r on r.site = s.name and r.app = :app
left join lateral (
    select o.state from operation o
    where o.site = s.name and o.app = :app and o.kind = 'prestage'
    order by o.position desc limit 1
) p on true
where not s.removed and (:name::text is null or s.name = :name)
  and (not :grouped::bool or s.group_name is not distinct from :group)
order by s.name;

-- name: list_groups
select g.name, g.description, g.apply_type, g.max_parallel, g.at,
       (select count(*) from site where group_name = g.name and not removed) as sites
from site_group g
where not g.removed and (:name::text is null or g.name = :name)
order by g.name;

-- name: count_ungrouped
select count(*) from site where group_name is null and not removed;

-- name: sum_alarms
select s.name, count(a.alarm) filter (where a.severity = 'critical') as critical,
       count(a.alarm) filter (where a.severity = 'major') as major,
       count(a.alarm) filter (where a.severity = 'minor') as minor,
       count(a.alarm) filter (where a.severity = 'warning') as warnings
from site s left join alarm a on a.site = s.name and not a.cleared
where not s.removed
group by s.name order by s.name;
