-- name: free_overdue
-- Whoever waited as long as the operation may take ends; only the row says for what it waited. What somebody holds this
-- moment has its turn at the next look: to wait for it, with others in hand that he may wait for, would be a circle.
with overdue as materialized (
    select id from operation
    where awaits is not null and requested_at + make_interval(secs => timeout_seconds) < :now::timestamptz
    for no key update skip locked
)
update operation set awaits = null, refused = jsonb_build_object(
    'code', 'timeout',
    'message', case when publication is null then format('release %s had not been prepared', to_version)
        else format('publication %s had made no release available', publication) end
        || format(' after %s s, when the time of the operation was up', timeout_seconds)
)
where id = any(array(select id from overdue));

-- name: tell_waiting
-- Those of which nobody has heard since they were asked for, each once.
update operation set sequence = sequence + 1
where id = any(array(
    select id from operation where awaits is not null and sequence = 0 and requested_at < :before::timestamptz
    limit :limit for update skip locked
))
returning id, site, app, kind, to_version, strategy_id, correlation_id, actor, sequence, publication;

-- name: put_publications
-- A publication ends once: a repeated event has no effect.
insert into publication (id, state, app, version, faults, at)
select publication, state, app, version, coalesce(faults, '[]'), :now::timestamptz
from jsonb_to_recordset(:settled::jsonb) as n (publication text, state text, app text, version text, faults jsonb)
on conflict (id) do nothing;

-- name: lock_settled
-- Operations whose publication has ended. One that made a release available counts as soon as the release is known: the
-- two events come in any order. They wait for each other's commit in no order, so what somebody holds is left to him.
select o.id, o.site, o.app, o.kind, o.timeout_seconds, o.strategy_id, o.recover, o.publication, o.correlation_id, o.actor, o.terms,
    o.cancel_reason is not null as cancelled,
    p.state, p.app as published_app, p.version, p.faults
from operation o join publication p on p.id = o.publication
where o.awaits = o.publication and (
    p.state <> 'available' or exists (select from release r where r.app = p.app and r.version = p.version)
)
order by o.requested_at limit :limit for update of o skip locked;

-- name: give_way
delete from operation where id = any(:ids::text[]) and awaits is not null;

-- name: free_settled
update operation o set awaits = null, from_version = coalesce(n.from_version, o.from_version), to_version = n.to_version,
    refused = n.refused, terms = n.terms, recover = coalesce(n.recover, o.recover),
    timeout_seconds = coalesce(n.timeout_seconds, o.timeout_seconds)
from unnest(:ids::text[], :from_versions::text[], :to_versions::text[], :refused::jsonb[], :terms::jsonb[],
    :recovers::text[], :timeouts::int[])
    as n (id, from_version, to_version, refused, terms, recover, timeout_seconds)
where o.id = n.id and o.awaits is not null;
