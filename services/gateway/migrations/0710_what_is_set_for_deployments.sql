-- What is set for each deployment is written once: for the list and for the one that is shown.
create view override_ref as
    -- What is set at each level, as shared/values/layers.py writes it.
    select app, level, target, component,
        case level when 'group' then 'group:' || target else level end || '/' || component || '/' || nth as ref
    from override;

create view deployment_now as
    -- Each with what is set for it now; nothing is looked for where nothing is.
    select d.site, d.app, d.version, d.status, d.operation_id, d.strategy_id, d.at as updated_at, d.overrides,
        case when exists (select from override where app = d.app) then (
            select array_agg(o.ref)
            from (values ('fleet', ''), ('group', (select group_name from site where name = d.site)), ('site', d.site))
                as p (level, target)
            join override_ref o on o.app = d.app and o.level = p.level and o.target = p.target
        ) end as set_now
    from deployment d
    where not exists (select from site s where s.name = d.site and s.removed);
