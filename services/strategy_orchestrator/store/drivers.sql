-- name: put_hosts
-- Names of drivers hold no spaces, so lists of them travel as words.
insert into deployer_host as h (host, drivers, at)
select host, string_to_array(drivers, ' '), at
from unnest(:hosts::text[], :drivers::text[], :ats::timestamptz[]) as n (host, drivers, at)
on conflict (host) do update set drivers = excluded.drivers, at = excluded.at where h.at <= excluded.at;

-- name: hosts
select drivers from deployer_host where at >= :since;
