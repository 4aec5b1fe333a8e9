alter table bundle add column origin jsonb;
