-- How many components of a release change at once on a site.
alter table release add column max_parallel_components integer;
