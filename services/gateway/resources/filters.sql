-- name: unknown_names
-- What was removed is still known: its history can be asked for.
select n.field, n.kind, n.name from unnest(:fields::text[], :kinds::text[], :names::text[]) as n (field, kind, name)
where not case n.kind
    when 'site' then exists (select from site where site.name = n.name)
    when 'group' then exists (select from site_group g where g.name = n.name)
    when 'strategy' then exists (select from strategy s where s.name = n.name or s.strategy_id = n.name)
    when 'app' then exists (select from release r where r.app = n.name)
    else true end;
