alter table deployment add column secrets jsonb; -- by name, with which versions of secrets it was deployed; null = with none
create index deployment_with_secrets on deployment (site, app) where secrets is not null;

create or replace view deployment_now as
    -- Each with what is set for it now; nothing is looked for where nothing is.
    select d.site, d.app, d.version, d.status, d.operation_id, d.strategy_id, d.at as updated_at, d.overrides,
        case when exists (select from override where app = d.app) then (
            select array_agg(o.ref)
            from (values ('fleet', ''), ('group', (select group_name from site where name = d.site)), ('site', d.site))
                as p (level, target)
            join override_ref o on o.app = d.app and o.level = p.level and o.target = p.target
        ) end as set_now,
        d.secrets
    from deployment d
    where not exists (select from site s where s.name = d.site and s.removed);
