-- A site has a connection for each driver that reaches it.
alter table site add column connections jsonb;
update site set connections = jsonb_build_object(driver, params);
alter table site alter column connections set not null, drop column driver, drop column params;
