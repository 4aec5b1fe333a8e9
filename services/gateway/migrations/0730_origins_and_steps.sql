alter table release add column origin jsonb;
alter table publication
    add column step text,
    add column step_done bigint,
    add column step_total bigint,
    add column waits jsonb;
