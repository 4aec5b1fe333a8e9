-- name: put_hosts
insert into host as h (name, facts, at)
select name, facts::jsonb, at from unnest(:names::text[], :facts::text[], :ats::timestamptz[]) as n (name, facts, at)
on conflict (name) do update set facts = excluded.facts, at = excluded.at where h.at <= excluded.at;

-- name: list_hosts
select name as host, facts -> 'environment' as environment, facts -> 'abis' as abis, facts -> 'platforms' as platforms,
    at as heard_at
from host where name > :after order by name limit :limit;
