-- name: put_alarms
insert into alarm as a (site, alarm, severity, management_affecting, text, raised_at, raised_by, cleared, seq)
select site, alarm, severity, management_affecting, text, raised_at, raised_by, false, seq
from unnest(:sites::text[], :alarms::text[], :severities::text[], :affecting::bool[], :texts::text[],
    :ats::timestamptz[], :bys::text[], :seqs::bigint[])
    as n (site, alarm, severity, management_affecting, text, raised_at, raised_by, seq)
on conflict (site, alarm) do update set severity = excluded.severity,
    management_affecting = excluded.management_affecting, text = excluded.text, raised_at = excluded.raised_at,
    raised_by = excluded.raised_by, cleared = false, seq = excluded.seq
where a.seq <= excluded.seq;

-- name: clear_alarms
update alarm a set cleared = true, seq = n.seq
from unnest(:sites::text[], :alarms::text[], :seqs::bigint[]) as n (site, alarm, seq)
where a.site = n.site and a.alarm = n.alarm and a.seq <= n.seq;

-- name: clear_all_alarms
-- Of sites that were removed; one that is registered again begins without any.
update alarm a set cleared = true, seq = n.seq from unnest(:sites::text[], :seqs::bigint[]) as n (site, seq)
where a.site = n.site and not a.cleared and a.seq <= n.seq;

-- name: list_alarms
select a.site, a.alarm, a.severity, a.management_affecting, a.text, a.raised_at, a.raised_by
from alarm a join site s on s.name = a.site and not s.removed
where not a.cleared and (a.site, a.alarm) > (:site_after::text, :alarm_after::text)
  and (:site::text is null or a.site = :site)
  and (:severity::text is null or a.severity = :severity)
  and (:management_affecting::bool is null or a.management_affecting = :management_affecting)
order by a.site, a.alarm limit :limit;

-- name: known_alarms
select site, alarm from alarm a where not cleared
    and exists (select from unnest(:sites::text[], :alarms::text[]) as n (site, alarm)
                where n.site = a.site and n.alarm = a.alarm);
