-- name: put_releases
insert into release (app, version, scheme, upgrades_from, drivers, needs)
select app, version, scheme, case when anywhere then null else string_to_array(ranges, '|') end,
    string_to_array(drivers, ' '), needs
from unnest(:apps::text[], :versions::text[], :schemes::text[], :ranges::text[], :anywhere::boolean[], :drivers::text[],
    :needs::jsonb[]) as r (app, version, scheme, ranges, anywhere, drivers, needs)
on conflict (app, version) do update set scheme = excluded.scheme, upgrades_from = excluded.upgrades_from,
    drivers = excluded.drivers, needs = excluded.needs;

-- name: withdraw_releases
update release r set withdrawn = true
from unnest(:apps::text[], :versions::text[]) as w (app, version) where r.app = w.app and r.version = w.version;

-- name: delete_releases
delete from release r using unnest(:apps::text[], :versions::text[]) as d (app, version)
where r.app = d.app and r.version = d.version;

-- name: forget_history
-- No site can return to it.
update deployment d set history = array_remove(d.history, g.version)
from unnest(:apps::text[], :versions::text[]) as g (app, version)
where d.app = g.app and g.version = any(d.history);

-- name: releases_of
select version, scheme, upgrades_from, drivers, withdrawn, needs from release where app = :app;

-- name: withdrawn_targets
-- Releases that waiting steps of a strategy are to reach and that were withdrawn.
select r.version from strategy s join release r on r.app = s.app and r.withdrawn
where s.id = :strategy_id and (r.version = s.version or (s.version is null and r.version = any(array(
    select distinct target from step where strategy_id = :strategy_id and state = 'waiting'
)))) order by r.version;
