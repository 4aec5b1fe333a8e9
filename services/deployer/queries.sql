-- name: read_feed
select sequence from feed where aggregate = :aggregate for update;

-- name: save_feed
insert into feed (aggregate, sequence) values (:aggregate, :sequence)
on conflict (aggregate) do update set sequence = excluded.sequence;

-- name: put_sites
-- Names of secrets hold no spaces, so lists of them travel as words.
insert into site (name, connections, simplex, secrets, managed, maintenance, facts, site_group, labels)
select name, connections, simplex, string_to_array(secrets, ' '), managed, maintenance, facts, site_group, labels
from unnest(
    :names::text[], :connections::jsonb[], :simplex::boolean[], :secrets::text[], :managed::boolean[],
    :maintenance::boolean[], :facts::jsonb[], :groups::text[], :labels::jsonb[]
) as n (name, connections, simplex, secrets, managed, maintenance, facts, site_group, labels)
on conflict (name) do update set connections = excluded.connections, simplex = excluded.simplex,
    secrets = excluded.secrets, managed = excluded.managed, maintenance = excluded.maintenance,
    facts = excluded.facts, site_group = excluded.site_group, labels = excluded.labels, gone = false;

-- name: remove_sites
-- A site of the same name that comes later may be another machine: no content is taken to lie there, and nothing that
-- was meant to be done by itself is done to it. What ran there stays known (README, Decisions).
with emptied as (
    update deployment set prestaged = null where site = any(:names::text[]) and prestaged is not null
), unwished as (
    delete from automatic_wish where site = any(:names::text[]) and operation_id is null
)
update site set gone = true, alarms = '{}' where name = any(:names::text[]);

-- name: put_alarms
-- Names of alarms hold no spaces, so lists of them travel as words.
update site s set alarms = string_to_array(n.alarms, ' ') from unnest(:sites::text[], :alarms::text[]) as n (site, alarms)
where s.name = n.site and not s.gone;

-- name: hold_sites
insert into hold (site, strategy_id, strategy)
select * from unnest(:sites::text[], :strategy_ids::text[], :strategies::text[])
on conflict (site) do update set strategy_id = excluded.strategy_id, strategy = excluded.strategy;

-- name: release_sites
delete from hold where strategy_id = any(:strategy_ids::text[]);

-- name: put_releases
-- A release never changes, and one that was withdrawn stays so: a repeated event has no effect.
insert into release (
    app, version, scheme, upgrades_from, bundle_sha256, components, max_parallel_components, drivers, rules
)
select app, version, scheme, upgrades_from, bundle_sha256, components, max_parallel_components, drivers, rules
from jsonb_to_recordset(:releases::jsonb) as r (
    app text, version text, scheme text, upgrades_from text[], bundle_sha256 text, components jsonb,
    max_parallel_components integer, drivers text[], rules jsonb
)
on conflict (app, version) do nothing;

-- name: withdraw_releases
update release r set withdrawn = true, withdrawn_at = coalesce(r.withdrawn_at, now())
from unnest(:apps::text[], :versions::text[]) as w (app, version)
where r.app = w.app and r.version = w.version;

-- name: mark_unneeded
-- Withdrawn so long ago that no request accepted before can still be unseen here, and named by no site in any place:
-- not as the release that runs, as one of those before it, as one left half-done, nor by an operation under way, or one
-- that waits behind others of its site.
with named as materialized (
    select d.app, v.version from deployment d, unnest(d.version || d.history || d.leftovers) as v (version)
    where d.app in (select app from release where withdrawn and not unneeded)
    union
    select o.app, v.version from operation o, unnest(array[o.from_version, o.to_version]) as v (version)
    where o.finished_at is null
    union
    select i.app, i.to_version from site_run r join site_run_item i on i.run_id = r.id
    where r.finished_at is null and i.state = 'waiting'
)
update release r set unneeded = true
where r.withdrawn and not r.unneeded and coalesce(r.withdrawn_at, '-infinity') <= now() - :settled::interval
    and not exists (select from named n where n.app = r.app and n.version = r.version)
returning r.app, r.version, r.bundle_sha256;

-- name: find_facts
-- What requests are judged by, one row each, in their order. Holds and operations that run come by the thousands and go
-- again: counted when there were none, PostgreSQL would compare each request with every one. The limit makes it look
-- each up by its key. What is set is looked for only where anything is set for the app; as `overrides.layers` writes it.
select s.name is not null as site_known, s.connections, s.simplex, s.managed, s.maintenance, s.alarms,
    h.strategy_id, h.strategy, o.id as busy_with, d.version, d.status, d.leftovers, d.history, d.prestaged, d.overrides,
    case when r.app in (select app from override_app) then (
        select array_agg(v.ref) from (
            select 'fleet/' || component || '/' || nth as ref from override
            where app = r.app and level = 'fleet' and target = ''
            union all
            select 'group:' || target || '/' || component || '/' || nth from override
            where app = r.app and level = 'group' and target = s.site_group
            union all
            select 'site/' || component || '/' || nth from override
            where app = r.app and level = 'site' and target = r.site
        ) v
    ) end as set_now
from unnest(:sites::text[], :apps::text[]) with ordinality as r (site, app, position)
left join site s on s.name = r.site and not s.gone
left join lateral (select strategy_id, strategy from hold where site = r.site limit 1) h on true
left join lateral (select id from operation where site = r.site and finished_at is null limit 1) o on true
left join deployment d on d.site = r.site and d.app = r.app
order by r.position;

-- name: find_releases
-- One row for each release asked for; version is null where it is unknown.
select p.app, r.version, r.scheme, r.upgrades_from, r.drivers, r.rules, r.withdrawn, r.deletion is not null as deleting,
    exists (select from release any_release where any_release.app = p.app) as app_known,
    exists (select from relied_app a where a.app = p.app) as relied_on,
    (select b.switches -> 'forbidden' from app_behaviour b where b.app = p.app) as forbidden
from unnest(:apps::text[], :versions::text[]) as p (app, version)
left join release r on r.app = p.app and r.version = p.version;

-- name: list_versions
select app, scheme, version from release where app = any(:apps::text[]);

-- name: find_bundles
select r.app, r.version, r.bundle_sha256
from unnest(:apps::text[], :versions::text[]) as p (app, version) join release r using (app, version);

-- name: find_contents
select r.app, r.version, r.bundle_sha256, r.components, r.max_parallel_components, r.rules
from release r join unnest(:apps::text[], :versions::text[]) as p (app, version) using (app, version);

-- name: find_grounds
-- Where plans would stand, without any operation; one row for each request, in their order.
select s.name as site, s.connections, s.simplex, s.managed, s.maintenance, s.alarms,
    d.version, d.status, d.leftovers, d.history, d.prestaged, d.overrides
from unnest(:sites::text[], :apps::text[]) with ordinality as r (site, app, position)
join site s on s.name = r.site
left join deployment d on d.site = r.site and d.app = r.app
order by r.position;

-- name: find_revisions
-- Of these releases alone: a site has been on many. Versions hold no spaces, so lists of them travel as words.
select r.site, r.app, r.component, r.version, r.revision, r.driver, r.digest, r.secrets
-- Each deployment is looked up: a join reads and sorts what was recorded for the whole fleet. `offset 0` forbids it.
from unnest(:sites::text[], :apps::text[], :versions::text[]) as p (site, app, versions)
cross join lateral (
    select * from component_revision
    where site = p.site and app = p.app and version = any(string_to_array(p.versions, ' ')) offset 0
) r;

-- name: insert_operations
-- What does not come back met an operation on its site that began in the meantime.
insert into operation (
    id, site, app, kind, from_version, to_version, strategy_id, timeout_seconds, correlation_id, actor, recover,
    terms, publication, awaits, requested_at, runner, claims
)
select *, publication, :now::timestamptz, :runner::text, case when :runner::text is null then 0 else 1 end from unnest(
    :ids::text[], :sites::text[], :apps::text[], :kinds::text[], :from_versions::text[], :to_versions::text[],
    :strategy_ids::text[], :timeouts::int[], :correlation_ids::text[], :actors::text[], :recovers::text[],
    :terms::jsonb[], :publications::text[]
) as n (
    id, site, app, kind, from_version, to_version, strategy_id, timeout_seconds, correlation_id, actor, recover,
    terms, publication
)
on conflict do nothing
returning id;

-- name: find_operations
-- Also those that were accepted and wait for what has to come before them.
select id, site, strategy_id, finished_at is not null as finished, kind, course->>'phase' as phase
from operation where id = any(:ids::text[])
union all
select i.operation_id, r.site, r.strategy_id, false, i.kind, null from site_run_item i join site_run r on r.id = i.run_id
where i.operation_id = any(:ids::text[]) and i.request is not null and i.state = 'waiting';

-- name: lock_operations
-- In one order, so that two transactions never wait for each other.
select id from operation where id = any(:ids::text[]) order by id for no key update;

-- name: wish_cancels
-- Who waits for a preparation waits no longer: a runner ends it.
update operation o set cancel_reason = w.reason, awaits = null
from unnest(:ids::text[], :reasons::text[]) as w (id, reason)
where o.id = w.id and coalesce(o.finished_at, 'infinity') = 'infinity' and o.cancel_reason is null;

-- name: find_wishes
select id, cancel_reason from operation where id = any(:ids::text[]) and cancel_reason is not null;

-- name: load_operations
select o.id, o.site, o.app, o.kind, o.from_version, o.to_version, o.strategy_id, o.timeout_seconds, o.correlation_id,
    o.actor, o.cancel_reason, o.course, o.force, o.refused, o.recover, o.publication, o.terms, o.run_id, o.requested_at,
    s.connections, s.simplex, s.managed, s.maintenance, s.alarms,
    d.version, d.status, d.leftovers, d.history, d.prestaged, d.overrides
from operation o
join site s on s.name = o.site
left join deployment d on d.site = o.site and d.app = o.app
where o.id = any(:ids::text[]) and o.finished_at is null;

-- name: end_former_runner
-- Whoever started before under the name of this replica has ended: what it held waits for the next. What its last
-- transaction is storing this very moment is passed by, or the two might wait for each other; release_lapsed finds it.
with former as (delete from runner where instance = :instance returning id),
held as materialized (
    select o.id from operation o where o.finished_at is null and o.runner = any(array(select id from former))
    for update skip locked
)
update operation set runner = null where id = any(array(select id from held));

-- name: add_runner
insert into runner (id, instance, lease_until) values (:id, :instance, clock_timestamp() + :lease::interval);

-- name: extend_runner
-- The database's clock decides, so that replicas whose clocks differ agree on who holds what.
update runner set lease_until = clock_timestamp() + :lease::interval
where id = :id and lease_until > clock_timestamp();

-- name: release_lapsed
-- Operations whose runner fell silent, or was ended while it was storing them. Who is at it this very moment is passed
-- by: two that fell silent together, and are back, would each wait for the other.
with silent as materialized (
    select id from runner where lease_until <= clock_timestamp() for update skip locked
),
lapsed as (delete from runner where id = any(array(select id from silent)) returning id),
held as materialized (
    select o.id from operation o where o.finished_at is null and o.runner is not null
        and (o.runner in (select id from lapsed) or o.runner not in (select id from runner))
    for update skip locked
)
update operation set runner = null where id = any(array(select id from held));

-- name: count_runners
select count(*) from runner where lease_until > clock_timestamp();

-- name: remove_runner
-- What its last transaction is storing this very moment, or somebody cancels, is passed by: its runner is gone, and
-- release_lapsed finds it.
with gone as (delete from runner where id = :id),
held as materialized (select id from operation where finished_at is null and runner = :id for update skip locked)
update operation set runner = null where id = any(array(select id from held));

-- name: claimed_by
select id, claims from operation where finished_at is null and runner = :runner;

-- name: claim_operations
-- What waits, the oldest first; only for a runner whose lease has not ended.
with waiting as materialized (
    select id from operation where finished_at is null and runner is null and awaits is null
        and exists (select from runner where id = :runner and lease_until > clock_timestamp())
    order by requested_at limit :limit for update skip locked
)
update operation set runner = :runner, claims = claims + 1
where id = any(array(select id from waiting)) and finished_at is null
returning id, claims;

-- name: save_courses
-- `told`: an event of each says so, with the next number of its sequence. Counted here: who lost the answer to a commit
-- does not know that a number was used.
-- The planner must not see that only those under way are meant: it takes them for few, begins with them, and compares
-- each with each row that is given (`make bench BENCH=profile`: 50 µs a step instead of 10).
update operation o set course = n.course, state = n.state, sequence = o.sequence + case when :told then 1 else 0 end
from unnest(:ids::text[], :courses::jsonb[], :states::text[]) as n (id, course, state)
where o.id = n.id and o.runner = :runner and coalesce(o.finished_at, 'infinity') = 'infinity'
returning o.id, o.sequence;

-- name: finish_operations
-- `alone`: the end is an event of the operation itself, with the next number of its sequence. Whether it has ended is
-- hidden from the planner, as in save_courses.
update operation o set state = n.state, plan = n.plan::jsonb, finished_at = :now::timestamptz, course = null,
    sequence = o.sequence + case when n.alone then 1 else 0 end
from unnest(:ids::text[], :states::text[], :plans::text[], :alone::boolean[]) as n (id, state, plan, alone)
where o.id = n.id and o.runner = :runner and coalesce(o.finished_at, 'infinity') = 'infinity'
returning o.id, o.sequence;

-- name: keep_releases
-- Those of the releases that are there, and are until this transaction has ended: whoever deletes one waits, and then
-- forgets it in what was written here.
select r.app, r.version from unnest(:apps::text[], :versions::text[]) as p (app, version)
join release r using (app, version) order by r.app, r.version for key share of r;

-- name: put_deployments
-- Versions hold no spaces, so lists of them travel as words.
insert into deployment (site, app, version, status, leftovers, history, overrides, operation_id)
select site, app, version, status, string_to_array(leftovers, ' '), string_to_array(history, ' '), overrides, operation_id
from unnest(
    :sites::text[], :apps::text[], :versions::text[], :statuses::text[], :leftovers::text[], :histories::text[],
    :overrides::jsonb[], :operation_ids::text[]
) as n (site, app, version, status, leftovers, history, overrides, operation_id)
on conflict (site, app) do update set version = excluded.version, status = excluded.status,
    leftovers = excluded.leftovers, history = excluded.history, overrides = excluded.overrides,
    operation_id = excluded.operation_id,
    nth = deployment.nth + 1
returning operation_id, nth;

-- name: put_revisions
insert into component_revision (site, app, component, version, revision, driver, digest, secrets)
select * from unnest(
    :sites::text[], :apps::text[], :components::text[], :versions::text[], :revisions::text[], :drivers::text[],
    :digests::text[], :secrets::jsonb[]
)
on conflict (site, app, component, version) do update
set revision = excluded.revision, driver = excluded.driver, digest = excluded.digest, secrets = excluded.secrets;

-- name: drop_components
delete from component_revision r
using unnest(:sites::text[], :apps::text[], :components::text[], :versions::text[]) as p (site, app, component, version)
where r.site = p.site and r.app = p.app and r.component = p.component and r.version = p.version;

-- name: drop_revisions
delete from component_revision r using unnest(:sites::text[], :apps::text[]) as p (site, app)
where r.site = p.site and r.app = p.app;
