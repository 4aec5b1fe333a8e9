-- name: ask_changed
-- Before they are put: sites that are new, or are reached in another way than before, are asked soon.
insert into availability as a (site, since, ask_at, bucket)
select n.name, :now::timestamptz, :now, hashtext(n.name) & 15
from unnest(:names::text[], :connections::jsonb[]) as n (name, connections)
left join site s on s.name = n.name and not s.gone
where s.name is null or s.connections is distinct from n.connections
order by n.name
on conflict (site) do update set ask_at = excluded.ask_at;

-- name: forget_sites
update availability set availability = 'unknown', since = :now::timestamptz, seen_at = null, failed = 0, cause = null,
    free_bytes = null, facts = '{}', ask_at = null, wanted = false
where site = any(:names::text[]);

-- name: want_checks
-- Somebody wants to know of these sites; those come back that there are.
update availability a set ask_at = :now::timestamptz, wanted = true from site s
where a.site = any(:sites::text[]) and s.name = a.site and not s.gone
returning a.site;

-- name: claim_bucket
-- The one that is due for longest, for this replica alone; one that was taken by a replica which was ended is due again.
-- What is due later than in a period was put off by a replica with a longer one.
update check_bucket set owner = :owner, owned_until = clock_timestamp() + :lease::interval
where offline = :offline and bucket = (
    select bucket from check_bucket
    where offline = :offline and (due_at <= clock_timestamp() or due_at > clock_timestamp() + 2 * :period::interval)
        and (owner is null or owner = :owner or owned_until < clock_timestamp())
    order by due_at limit 1 for update skip locked
)
returning bucket, due_at, clock_timestamp() as now, retold_at;

-- name: keep_bucket
update check_bucket set owned_until = clock_timestamp() + :lease::interval
where offline = :offline and bucket = :bucket and owner = :owner;

-- name: finish_bucket
update check_bucket set owner = null, owned_until = null, due_at = :due_at, checked_at = :checked_at,
    retold_at = case when :retold then :checked_at else retold_at end
where offline = :offline and bucket = :bucket and owner = :owner
returning bucket;

-- name: leave_buckets
-- A replica that stops lets others go on at once.
update check_bucket set owner = null, owned_until = null where owner = :owner;

-- name: sites_of_bucket
-- Those after one, by name. What is online and did not fail was seen when its bucket was last checked.
select a.site, s.connections, a.since, a.availability,
    case when a.availability = 'online' and a.failed = 0 then greatest(a.seen_at, b.checked_at) else a.seen_at end as seen_at,
    a.failed, a.cause, a.free_bytes, a.facts, a.nth, a.bucket, a.ask_at, a.wanted, case
        when jsonb_exists_any(s.connections, :heeding::text[]) then array(
            select distinct r.driver from deployment d
            join component_revision r on r.site = d.site and r.app = d.app and r.version = d.version
            where d.site = a.site
        ) else '{}' end as deployed
from availability a
join check_bucket b on b.bucket = a.bucket and not b.offline
join site s on s.name = a.site and not s.gone
where a.bucket = :bucket and (a.availability = 'offline') = :offline and a.site > :after
order by a.site limit :limit;

-- name: claim_soon
-- Asked again after the lease, unless who asks them now says that it has.
with soon as materialized (
    select site from availability where ask_at <= clock_timestamp() order by ask_at limit :limit for update skip locked
)
update availability a set ask_at = clock_timestamp() + :lease::interval
from check_bucket b, site s
where a.site = any(array(select site from soon)) and b.bucket = a.bucket and not b.offline
    and s.name = a.site and not s.gone
returning a.site, s.connections, a.since, a.availability,
    case when a.availability = 'online' and a.failed = 0 then greatest(a.seen_at, b.checked_at) else a.seen_at end as seen_at,
    a.failed, a.cause, a.free_bytes, a.facts, a.nth, a.bucket, a.ask_at, a.wanted, case
        when jsonb_exists_any(s.connections, :heeding::text[]) then array(
            select distinct r.driver from deployment d
            join component_revision r on r.site = d.site and r.app = d.app and r.version = d.version
            where d.site = a.site
        ) else '{}' end as deployed;

-- name: save_conditions
-- Only where nobody else has found anything since it was read, and not of a site that was removed meanwhile. What
-- somebody is changing this moment is passed by, and found again at the next check: to wait for it, with others in hand
-- that they may wait for, would be a circle.
with found as materialized (
    select * from unnest(:sites::text[], :nths::bigint[], :availabilities::text[], :sinces::timestamptz[],
        :seen::timestamptz[], :failed::smallint[], :causes::jsonb[], :free::bigint[], :facts::jsonb[])
        as n (site, nth, availability, since, seen_at, failed, cause, free_bytes, facts)
), there as materialized (
    select a.site, a.availability from availability a where a.site = any(array(select site from found))
        and exists (select from site s where s.name = a.site and not s.gone)
    order by a.site for update skip locked
)
update availability a set availability = f.availability, since = f.since, seen_at = f.seen_at, failed = f.failed,
    cause = f.cause, free_bytes = f.free_bytes, facts = f.facts, nth = a.nth + 1
from found f join there t on t.site = f.site
where a.site = f.site and a.nth = f.nth
returning a.site, t.availability as was, a.nth;

-- name: clear_asked
-- Somebody may have asked again meanwhile, or is about to: that is another question.
with there as materialized (
    select a.site from availability a join unnest(:sites::text[], :asked::timestamptz[]) as n (site, ask_at)
        on a.site = n.site and a.ask_at = n.ask_at
    order by a.site for update of a skip locked
)
update availability set ask_at = null, wanted = false where site = any(array(select site from there));

-- name: forget_all
-- Where checks are off nobody knows.
update availability set availability = 'unknown', since = :now::timestamptz, failed = 0, cause = null, nth = nth + 1,
    ask_at = null, wanted = false
where site = any(array(select site from availability where availability <> 'unknown' order by site limit :limit))
returning site, since, seen_at, free_bytes, facts, nth, bucket;
