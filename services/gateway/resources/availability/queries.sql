-- name: put_availability
insert into site_availability as a (
    site, availability, since, seen_at, checked_at, cause, free_bytes, facts, bucket, nth)
select site, availability, since, seen_at, checked_at, cause, free_bytes, facts, bucket, nth
from unnest(:sites::text[], :availabilities::text[], :sinces::timestamptz[], :seen::timestamptz[],
    :checked::timestamptz[], :causes::jsonb[], :free::bigint[], :facts::jsonb[], :buckets::integer[], :nths::bigint[])
    as n (site, availability, since, seen_at, checked_at, cause, free_bytes, facts, bucket, nth)
on conflict (site) do update set availability = excluded.availability, since = excluded.since,
    seen_at = excluded.seen_at, checked_at = excluded.checked_at, cause = excluded.cause,
    free_bytes = excluded.free_bytes, facts = excluded.facts, bucket = excluded.bucket, nth = excluded.nth
where a.nth < excluded.nth;

-- name: put_checks
insert into check_bucket as b (bucket, checked_at) select * from unnest(:buckets::integer[], :ats::timestamptz[])
on conflict (bucket) do update set checked_at = greatest(b.checked_at, excluded.checked_at);
