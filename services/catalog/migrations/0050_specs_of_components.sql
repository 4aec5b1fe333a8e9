-- A component's spec is its driver's own, and components may come after others.
alter table release add column max_parallel_components integer check (max_parallel_components > 0);
alter table component add column after text[] not null default '{}';
update component set spec = spec - 'driver' - 'name' where spec ? 'driver';
