-- name: alarms_of
-- One row a site and alarm, or one for a site without any. The sites are locked in one order: two transactions about the
-- same ones count one after the other.
with there as materialized (select name from site where name = any(:sites::text[]) order by name for update)
select t.name, a.alarm, a.severity, a.management_affecting, a.text, a.raised_at, a.raised_by
from there t left join alarm a on a.site = t.name;

-- name: put_alarms
insert into alarm (site, alarm, severity, management_affecting, text, raised_at, raised_by)
select * from unnest(:sites::text[], :alarms::text[], :severities::text[], :affecting::boolean[], :texts::text[],
    :ats::timestamptz[], :bys::text[])
on conflict (site, alarm) do update set severity = excluded.severity,
    management_affecting = excluded.management_affecting, text = excluded.text, raised_by = excluded.raised_by;

-- name: delete_alarms
delete from alarm a using unnest(:sites::text[], :alarms::text[]) as n (site, alarm)
where a.site = n.site and a.alarm = n.alarm;

-- name: put_counts
update site s set alarms = n.alarms from unnest(:sites::text[], :counts::integer[]) as n (site, alarms)
where s.name = n.site and s.alarms <> n.alarms;
