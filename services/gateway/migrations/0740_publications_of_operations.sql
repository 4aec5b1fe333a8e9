alter table operation add column publication text;
