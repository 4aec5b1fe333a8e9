alter table release add column deletion jsonb;
