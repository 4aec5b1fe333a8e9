create table relied_app (
    -- Apps that some release needs or excludes: whoever changes them is asked what others need of them.
    app text primary key
);
insert into relied_app (app)
select distinct named.app from release r, lateral (
    select need ->> 'app' as app from jsonb_array_elements(coalesce(r.rules -> 'depends_on', '[]')) as need
    union select each ->> 'app' from jsonb_array_elements(coalesce(r.rules -> 'depends_on', '[]')) as need,
        jsonb_array_elements(coalesce(need -> 'any_of', '[]')) as each
    union select other ->> 'app' from jsonb_array_elements(coalesce(r.rules -> 'excludes', '[]')) as other
) as named where named.app is not null
on conflict do nothing;
