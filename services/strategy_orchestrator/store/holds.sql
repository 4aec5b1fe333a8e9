-- name: hold_sites
insert into hold (site, strategy_id, position)
select st.site, st.strategy_id, st.position from step st join site s on s.name = st.site
where st.strategy_id = :strategy_id and st.state = 'waiting'
on conflict (site) do nothing
returning site;

-- name: sites_not_held
-- Waiting steps whose site somebody else holds, or that is gone. A set operation, for it is asked when PostgreSQL knows
-- nothing yet of 100,000 rows just written: joined row by row to a table taken for empty they would take hours.
with missing as materialized (
    select position, site from step where strategy_id = :strategy_id and state = 'waiting'
    except select position, site from hold where strategy_id = :strategy_id
    order by position limit 20
)
select m.site, holder.name as held_by
from missing m
left join lateral (select strategy_id from hold where site = m.site limit 1) h on true
left join strategy holder on holder.id = h.strategy_id
order by m.position;

-- name: release_sites
delete from hold where strategy_id = :strategy_id;
