-- How long operations of a run may take is said by their releases where nobody else says it.
alter table site_run alter column timeout_seconds drop not null;
