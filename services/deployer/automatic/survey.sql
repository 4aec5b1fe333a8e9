-- name: apps_looked_at
-- Apps of which a person or a release says that something is done by itself, and what people said.
select n.app, coalesce(b.switches, '{}') as switches
from (select app from app_behaviour union select app from release where rules ? 'behaviour') as n
left join app_behaviour b on b.app = n.app
order by n.app;

-- name: sites_of_bucket
-- Those that may be touched now, by name after one: what is held, unmanaged, in maintenance or offline is left alone.
select s.name from availability a join site s on s.name = a.site and not s.gone
where a.bucket = :bucket and a.site > :after and s.managed and not s.maintenance and a.availability <> 'offline'
    and not exists (select from hold h where h.site = s.name)
order by a.site limit :limit;

-- name: pairs_of
-- Where these apps are, or are meant to be; and where something was found, which nobody else ends once the app is gone.
select s.name as site, n.app
from site s cross join jsonb_to_recordset(:apps::jsonb) as n (app text, sites text[], groups text[])
left join deployment d on d.site = s.name and d.app = n.app
left join drift f on f.site = s.name and f.app = n.app
where s.name = any(:sites::text[])
    and (d.status is not null and d.status not in ('new', 'removed')
         or s.name = any(n.sites) or s.site_group = any(n.groups) or f.app is not null)
order by s.name, n.app;

-- name: belonging_of
select name, site_group, labels from site where name = any(:sites::text[]);

-- name: barred_of
-- Counted here: a release that failed on ten thousand sites has as many rows, and each look asks.
select app, version from release_failure where app = any(:apps::text[]) group by app, version having count(*) >= :threshold::int;

-- name: drift_of
select d.site, d.app, d.version, d.components, d.what_follows, d.ended
from drift d join unnest(:sites::text[], :apps::text[]) as n (site, app) using (site, app);

-- name: ends_of
select d.site, d.app, d.nth
from deployment d join unnest(:sites::text[], :apps::text[]) as n (site, app) using (site, app);

-- name: put_drift
-- News is what was not known before, in the same words; that it is still so after an operation is none.
with found as (
    select site, app, version, components::jsonb as components, what_follows, ended
    from unnest(:sites::text[], :apps::text[], :versions::text[], :components::text[], :follows::text[], :ended::bigint[])
        as n (site, app, version, components, what_follows, ended)
), known as materialized (
    select d.site, d.app from drift d join found f using (site, app)
    where (d.version, d.components, d.what_follows) is not distinct from (f.version, f.components, f.what_follows)
), kept as (
    insert into drift (site, app, version, components, what_follows, found_at, ended)
    select site, app, version, components, what_follows, :now::timestamptz, ended from found
    on conflict (site, app) do update set version = excluded.version, components = excluded.components,
        what_follows = excluded.what_follows, found_at = excluded.found_at, ended = excluded.ended
    where (drift.version, drift.components, drift.what_follows, drift.ended)
        is distinct from (excluded.version, excluded.components, excluded.what_follows, excluded.ended)
    returning site, app
)
select site, app from kept except select site, app from known;

-- name: drift_stands
-- An operation that failed there put nothing right.
update drift d set ended = p.nth from deployment p, unnest(:sites::text[], :apps::text[]) as n (site, app)
where p.site = n.site and p.app = n.app and d.site = n.site and d.app = n.app;

-- name: end_drift
delete from drift d using unnest(:sites::text[], :apps::text[]) as n (site, app)
where d.site = n.site and d.app = n.app returning d.site, d.app;

-- name: next_drift
select nextval('drift_number');

-- name: wish
-- What is under way stays as it is; so does what was given up, until something else is to be done there: the next release
-- has tries of its own, and drift does not wait behind a release that failed. Drift in other words is what it was: some of
-- them differ with each look, and it would never be given up.
insert into automatic_wish as w (site, app, cause, noted_at, due_at)
select site, app, cause, :now::timestamptz, :now
from unnest(:sites::text[], :apps::text[], :causes::jsonb[]) as n (site, app, cause)
order by site, app -- as everybody locks them
on conflict (site, app) do update set cause = excluded.cause, given_up = false,
    tries = case when w.given_up then 0 else w.tries end,
    due_at = case when w.given_up then excluded.due_at else w.due_at end
where w.operation_id is null and (
    not w.given_up or w.cause ->> 'code' <> excluded.cause ->> 'code'
    or excluded.cause ->> 'code' <> 'drift_found' and w.cause ->> 'message' <> excluded.cause ->> 'message'
);

-- name: wish_since
-- Where these apps run on sites to which something happened, or, for what happened `everywhere`, wherever they run.
-- What happened before is not forgotten over it: each may be what somebody waits for. What happens while an operation is
-- under way may come too late for it: it is kept for later, also if that operation was begun for the same.
with happened as (
    select site, events::jsonb as events from unnest(:sites::text[], :events::text[]) as n (site, events)
    union all
    select distinct site, :everywhere::jsonb from deployment where app = any(:apps::text[]) and :everywhere::jsonb is not null
)
insert into automatic_wish as w (site, app, cause, events, noted_at, due_at)
select d.site, d.app, (h.events -> -1) - 'carries', h.events, :now::timestamptz, :now
from happened h
join deployment d on d.site = h.site
join site s on s.name = d.site and not s.gone
where d.version is not null and d.app = any(:apps)
order by d.site, d.app -- as everybody locks them
on conflict (site, app) do update set
    cause = case when w.operation_id is null then excluded.cause else w.cause end,
    due_at = case when w.operation_id is null then excluded.due_at else w.due_at end,
    given_up = false, tries = case when w.operation_id is null then 0 else w.tries end,
    events = case when w.operation_id is not null or w.events @> excluded.events then w.events
        when jsonb_array_length(w.events) < :most::int then w.events || excluded.events
        else (w.events - 0) || excluded.events end,
    later = case when w.operation_id is null or w.later @> excluded.events then w.later
        when jsonb_array_length(w.later) < :most::int then w.later || excluded.events
        else (w.later - 0) || excluded.events end
returning site;

-- name: drop_wishes
-- In order of site and app, as everybody locks them. What somebody holds this moment is passed by: it is looked at again.
with held as materialized (
    select w.site, w.app
    from automatic_wish w join unnest(:sites::text[], :apps::text[]) as n (site, app) using (site, app)
    where w.operation_id is null
    order by w.site, w.app for update of w skip locked
)
delete from automatic_wish w using held h where w.site = h.site and w.app = h.app;

-- name: judge_soon
-- What happened meanwhile has its turn, however often something else was tried there. Locked as above.
with held as materialized (
    select w.site, w.app
    from automatic_wish w join unnest(:sites::text[], :apps::text[]) as n (site, app) using (site, app)
    where w.operation_id is null and w.given_up
    order by w.site, w.app for update of w skip locked
)
update automatic_wish w set given_up = false, tries = 0, due_at = clock_timestamp()
from held h where w.site = h.site and w.app = h.app;

-- name: wishes_of
select w.site, w.app, w.cause, w.given_up, w.events
from automatic_wish w join unnest(:sites::text[], :apps::text[]) as n (site, app) using (site, app);

-- name: any_wish_due
-- Offline sites wait: whatever is tried there fails for that alone, and would be given up for it.
select exists (
    select from automatic_wish w where operation_id is null and not given_up and due_at <= clock_timestamp()
        and not exists (select from availability a where a.site = w.site and a.availability = 'offline')
) and (select until <= clock_timestamp() from automatic_pause);

-- name: lock_wishes
-- One replica at a time counts what is under way: never more at once than is allowed over the fleet.
select pg_advisory_xact_lock(hashtext('belay automatic wishes'));

-- name: wishes_under_way
select count(*) from automatic_wish where operation_id is not null;

-- name: claim_wishes
-- The sites whose turn it is, by who has waited longest, and all that is due there: which of it goes first is said by
-- what its apps are. Offline sites are passed by here, or they would take the turns of the others.
select site, app, cause, tries from automatic_wish
where operation_id is null and not given_up and due_at <= clock_timestamp() and site = any(array(
    select site from automatic_wish w where operation_id is null and not given_up and due_at <= clock_timestamp()
        and not exists (select from availability a where a.site = w.site and a.availability = 'offline')
    order by due_at limit :limit
))
order by site, app for update skip locked;

-- name: begin_wishes
update automatic_wish w set operation_id = n.operation_id
from unnest(:sites::text[], :apps::text[], :operation_ids::text[]) as n (site, app, operation_id)
where w.site = n.site and w.app = n.app;

-- name: put_off_wishes
update automatic_wish w set due_at = clock_timestamp() + n.pause, tries = w.tries + n.failed,
    given_up = w.tries + n.failed >= :most::int and n.failed > 0
from unnest(:sites::text[], :apps::text[], :pauses::interval[], :failed::int[]) as n (site, app, pause, failed)
where w.site = n.site and w.app = n.app;

-- name: lock_wishes_of
-- As everybody locks them, before some end in one statement and others in the next.
select from automatic_wish where operation_id = any(:operation_ids::text[]) order by site, app for update;

-- name: end_wishes
-- Those whose operations succeeded; what happened meanwhile has its turn now, and what happened before, too, where all
-- was only brought back as it was. Of two statements the second sees what came while the first waited for it.
update automatic_wish set operation_id = null, tries = 0, due_at = clock_timestamp(), later = '[]',
    events = case when operation_id = any(:brought_back::text[]) then events else '[]' end || later,
    cause = coalesce((later -> -1) - 'carries', cause)
where operation_id = any(:operation_ids::text[])
returning site, app;

-- name: drop_fulfilled
-- Locked as those that are dropped whatever happened.
with held as materialized (
    select w.site, w.app
    from automatic_wish w join unnest(:sites::text[], :apps::text[]) as n (site, app) using (site, app)
    where w.operation_id is null and w.events = '[]'
    order by w.site, w.app for update of w skip locked
)
delete from automatic_wish w using held h where w.site = h.site and w.app = h.app;

-- name: fail_wishes
-- Tried again after a while that doubles each time, a day at most, and so often at most; once more for what happened
-- meanwhile.
update automatic_wish set operation_id = null, tries = tries + 1, given_up = tries + 1 >= :most::int and later = '[]',
    events = events || later, later = '[]',
    due_at = clock_timestamp() + least(:first::interval * power(2, least(tries, 16)), interval '1 day')
where operation_id = any(:operation_ids::text[]);

-- name: lost_wishes
-- Whose operation is there no more: its end was told while nobody noted it. One that begins behind others of its site
-- is part of a run until its turn comes.
update automatic_wish w set operation_id = null, events = events || later, later = '[]'
where w.operation_id is not null and not exists (
    select from operation o where o.id = w.operation_id and o.finished_at is null
) and not exists (
    select from site_run_item i where i.operation_id = w.operation_id and i.state in ('waiting', 'running')
);

-- name: pause
update automatic_pause set until = greatest(until, clock_timestamp() + :seconds::interval);

-- name: clear_wishes
-- What was given up for an app may be tried again. In order of the sites, as everybody locks them.
with held as materialized (
    select site, app from automatic_wish where app = :app and operation_id is null and (given_up or tries > 0)
    order by site, app for update
)
update automatic_wish w set given_up = false, tries = 0, due_at = clock_timestamp()
from held h where w.site = h.site and w.app = h.app;

-- name: look_soon
-- Also at those that somebody looks at this moment: he may have begun with what was said before.
update audit_bucket set due_at = clock_timestamp() where due_at > clock_timestamp() or owner is not null;

-- name: claim_bucket
update audit_bucket set owner = :owner, owned_until = clock_timestamp() + :lease::interval
where bucket = (
    select bucket from audit_bucket
    where due_at <= clock_timestamp() and (owner is null or owner = :owner or owned_until < clock_timestamp())
    order by due_at limit 1 for update skip locked
)
returning bucket, due_at;

-- name: keep_bucket
update audit_bucket set owned_until = clock_timestamp() + :lease::interval where bucket = :bucket and owner = :owner;

-- name: finish_bucket
update audit_bucket set owner = null, owned_until = null, due_at = case when due_at <> :was_due then due_at
    else clock_timestamp() + :period::interval * (0.9 + 0.2 * random()) end
where bucket = :bucket and owner = :owner;

-- name: apps_with_triggers
select app from app_behaviour where jsonb_array_length(coalesce(switches -> 'reapply_on', '[]')) > 0
union select app from release where rules -> 'behaviour' ? 'reapply_on';

-- name: sites_before
select name, site_group, facts, maintenance from site where name = any(:names::text[]) and not gone;

-- name: sites_of_group
select name from site where site_group = :group and not gone;
