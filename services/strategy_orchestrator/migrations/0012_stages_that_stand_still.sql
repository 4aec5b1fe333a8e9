alter table stage
    add column moved_at timestamptz,
    add column oldest text not null default '',
    add column warning jsonb;
alter table step add column started_at timestamptz;
insert into timer (kind, key, due_at)
select 'still', id, now() from strategy where state in ('applying', 'paused', 'aborting')
on conflict do nothing;
