-- What happens to a site while the deployer's own operation runs there has its turn when that has ended.
alter table automatic_wish add column later jsonb not null default '[]',
    add constraint what_happens_meanwhile_is_kept check (later = '[]' or operation_id is not null);
