-- Replicas of the version before read `timeout_seconds` as a number, so one stands there again; what somebody asked for
-- stands beside it, null where nobody did.
alter table site_run add column asked_seconds integer;
alter table site_run alter column timeout_seconds set default 3600;
update site_run set timeout_seconds = 3600 where timeout_seconds is null;
alter table site_run alter column timeout_seconds set not null;
