alter table audit add column about text not null default '';
alter table token add column last_used_at timestamptz;
create index audit_by_actor on audit (actor, id);
create index audit_by_time on audit (at);
