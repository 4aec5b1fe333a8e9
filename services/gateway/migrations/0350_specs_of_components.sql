-- A component's spec is its driver's own, and components may come after others.
update release set components = (
    select jsonb_agg(
        case when c ? 'spec' then c else jsonb_build_object(
            'driver', c -> 'driver', 'name', c -> 'name', 'after', '[]'::jsonb, 'spec', c - 'driver' - 'name'
        ) end order by position
    )
    from jsonb_array_elements(components) with ordinality as one (c, position)
) where components <> '[]';
