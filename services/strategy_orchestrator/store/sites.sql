-- name: next_fleet_sequence
-- The last lock of a transaction: each change of a site, group or hold is numbered after those that it waited for.
update fleet set sequence = sequence + :count::int returning sequence;

-- name: upsert_sites
-- In one order, so that two transactions never wait for each other.
insert into site (name, group_name, labels, connections, managed, maintenance, simplex, facts)
select * from unnest(:names::text[], :groups::text[], :labels::jsonb[], :connections::jsonb[], :managed::boolean[],
    :maintenance::boolean[], :simplex::boolean[], :facts::jsonb[]) order by 1
on conflict (name) do update set group_name = excluded.group_name, labels = excluded.labels,
    connections = excluded.connections, managed = excluded.managed, maintenance = excluded.maintenance,
    simplex = excluded.simplex, facts = excluded.facts;

-- name: change_sites
-- A driver that is to be the only one keeps what it was told, or else takes over what all others were told.
with locked as materialized (
    select name from site where name in (select unnest(:names::text[])) order by name for update
)
update site s set
    group_name = case when :ungroup::boolean then null else coalesce(:group::text, s.group_name) end,
    labels = (s.labels - :unlabel::text[]) || :labels::jsonb,
    connections = coalesce((
        select jsonb_object_agg(driver, (
            coalesce(s.connections -> driver, case when :driver::text is null then '{}' else (
                select jsonb_object_agg(key, value) from jsonb_each(s.connections) as other (name, told), jsonb_each(told)
            ) end, '{}') - :unset_params::text[]
        ) || coalesce(:connections::jsonb -> driver, '{}') || :params::jsonb)
        from (
            select jsonb_object_keys(case when :driver::text is null then s.connections else '{}' end) as driver
            union select jsonb_object_keys(:connections::jsonb) union select :driver::text
        ) as reached where driver is not null and driver <> all(:disconnect::text[])
    ), '{}'),
    managed = coalesce(:managed::boolean, s.managed), maintenance = coalesce(:maintenance::boolean, s.maintenance),
    simplex = coalesce(:simplex::boolean, s.simplex), facts = (s.facts - :unset_facts::text[]) || :facts::jsonb
where s.name in (select name from locked)
returning s.name, s.group_name as "group", s.labels, s.connections, s.managed, s.maintenance, s.simplex, s.facts;

-- name: sites_after
select name, group_name as "group", labels, connections, managed, maintenance, simplex, facts
from site where name > :after order by name limit :limit for share;

-- name: lock_sites
-- In the order of all that change sites, so that two transactions never wait for each other.
select from site where name = any(:names::text[]) order by name for no key update;

-- name: known_sites
select s.name, s.group_name, holder.name as held_by, s.operation_id, s.managed, s.maintenance
from site s
left join lateral (select strategy_id from hold where site = s.name limit 1) h on true
left join strategy holder on holder.id = h.strategy_id
where s.name = any(:names::text[]);

-- name: names_apart_by_case
select name from site where lower(name) = any(:lowered::text[]);

-- name: delete_sites
with locked as materialized (select name from site where name = any(:names::text[]) order by name for update)
delete from site where name = any(array(select name from locked))
    and name <> all(array(select site from hold where site = any(:names::text[])));

-- name: candidates
-- Every site of a selection, with what runs there: named, of one of the groups, with all the labels; what is empty is
-- open. The caller sees to it that something was asked for at all. Lists are subqueries, which PostgreSQL hashes; as arrays
-- each site would be compared with each of 100,000 names.
-- Holds come and go by the thousands: counted when there were none, PostgreSQL would compare each site with every one.
-- The limit, here and below, makes it look each up by its key.
select s.name, s.group_name, s.labels, s.managed, holder.name as held_by, s.operation_id, d.version, d.status,
    coalesce(d.history, '{}') as history, array(select jsonb_object_keys(s.connections)) as drivers,
    s.availability, s.maintenance,
    case when s.alarms > 0 then array(
        select a.alarm from alarm a where a.site = s.name and a.management_affecting order by alarm
    ) else '{}' end as alarms, s.cause,
    case when s.connections @? '$.*.*.**.secret' then array(
        select distinct named #>> '{}' from jsonb_path_query(s.connections, '$.*.*.**.secret') as named
        where jsonb_typeof(named) = 'string' and not exists (select from secret where name = named #>> '{}')
    ) else '{}' end as unknown_secrets, s.found || s.facts as facts
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

-- name: note_availability
-- What the deployer said of sites, unless something newer is known. The state before is read under the lock of the row.
with told as materialized (
    select * from unnest(:names::text[], :availabilities::text[], :sinces::timestamptz[], :seen::timestamptz[],
        :causes::text[], :found::jsonb[], :nths::bigint[])
        as n (name, availability, since, seen_at, cause, found, nth)
), before as materialized (
    select s.name, s.availability from site s where s.name in (select name from told) order by s.name for update
)
update site s set availability = t.availability, since = t.since, seen_at = t.seen_at, cause = t.cause,
    found = t.found, nth = t.nth
from told t join before b using (name)
where s.name = t.name and s.nth < t.nth
returning s.name, b.availability as was, s.availability as now;
